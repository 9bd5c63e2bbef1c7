import { markdown } from './harness/markdown.ts';
import { readReport } from './harness/report.ts';

/** `node bench/table.ts results.json` prints a run as docs/benchmarks.md shows it: no figure there is typed by hand. */
const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node bench/table.ts RESULTS.json\n');
  process.exit(64);
}
process.stdout.write(`${markdown(await readReport(file))}\n`);
