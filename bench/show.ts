import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { markdown, withResults } from './harness/markdown.ts';
import { readReport } from './harness/report.ts';
import { scaling } from './harness/scaling.ts';
import { writePlots } from './plots/figures.ts';

/**
 * `node bench/show.ts results.json` prints the tables of a run; with `docs` as second argument it writes them into
 * docs/benchmark-results.md, and what follows from them into docs/scaling.md, and draws docs/plots, without measuring. No figure
 * there is typed by hand.
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
  const page = join(docs, 'benchmark-results.md');
  await writeFile(page, withResults(await readFile(page, 'utf8'), tables));
  const plans = join(docs, 'scaling.md');
  await writeFile(plans, withResults(await readFile(plans, 'utf8'), scaling(report)));
  for (const path of [page, plans, ...(await writePlots(report.results, join(docs, 'plots')))])
    process.stdout.write(`${path}\n`);
}
