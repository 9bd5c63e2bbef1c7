import { readReport } from './harness/report.ts';
import { writePlots } from './plots/figures.ts';

/** `node bench/plot.ts results.json docs/plots` draws a run again without measuring. */
const [file, directory] = process.argv.slice(2);
if (file === undefined || directory === undefined) {
  process.stderr.write('usage: node bench/plot.ts RESULTS.json DIRECTORY\n');
  process.exit(64);
}
const { results } = await readReport(file);
const written = await writePlots(results, directory);
process.stdout.write(written.map((path) => `${path}\n`).join('') || 'the run has no figures to draw\n');
