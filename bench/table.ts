import { readFile, writeFile } from 'node:fs/promises';
import { markdown, withResults } from './harness/markdown.ts';
import { readReport } from './harness/report.ts';

/**
 * `node bench/table.ts results.json` prints a run as docs/benchmarks.md shows it; with a page as second argument it writes
 * it there, between the marks. No figure in the page is typed by hand.
 */
const [file, page] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node bench/table.ts RESULTS.json [PAGE.md]\n');
  process.exit(64);
}
const text = markdown(await readReport(file));
if (page === undefined) process.stdout.write(`${text}\n`);
else await writeFile(page, withResults(await readFile(page, 'utf8'), text));
