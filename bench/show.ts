import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { markdown, withResults } from './harness/markdown.ts';
import { readReport } from './harness/report.ts';
import { scaling } from './harness/scaling.ts';
import { writePlots } from './plots/figures.ts';

/**
 * `node bench/show.ts results.json` prints the tables of a run; with `docs` as second argument it writes them into
 * docs/benchmark-results.md and draws docs/plots, without measuring. A run of `supervisors` alone goes into docs/scaling.md instead.
 * No figure there is typed by hand.
 */
const [file, docs] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node bench/show.ts RESULTS.json [DOCS]\n');
  process.exit(64);
}
const report = await readReport(file);
const tables = markdown(report);
if (docs === undefined) {
  process.stdout.write(`${tables}\n`);
} else {
  const ofSupervisors = report.results.every(({ name }) => name.startsWith('supervisors/'));
  const page = join(docs, ofSupervisors ? 'scaling.md' : 'benchmark-results.md');
  await writeFile(page, withResults(await readFile(page, 'utf8'), ofSupervisors ? scaling(report) : tables));
  const drawn = ofSupervisors ? [] : await writePlots(report.results, join(docs, 'plots'));
  for (const path of [page, ...drawn]) process.stdout.write(`${path}\n`);
}
