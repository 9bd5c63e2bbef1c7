import { writeFile } from 'node:fs/promises';
import { against } from './against.ts';
import { Bench, type Suite } from './harness/bench.ts';
import { describeMachine } from './harness/report.ts';
import { readOptions } from './harness/options.ts';
import { writePlots } from './plots/figures.ts';
import { suites } from './suites.ts';
import { tune } from './tuning/tune.ts';

const options = readOptions(process.argv.slice(2), new Map(suites.map(({ name, about }) => [name, about])));
const say = (text: string) => process.stdout.write(`${text}\n`);
const machine = describeMachine();
say(
  `${machine.cores} × ${machine.cpu}, ${machine.memory_gib} GiB, ${machine.os}, Node ${machine.node}, load ${machine.load_average}`,
);
/** Set by a signal: what fails from then on fails since its servers are gone. */
let ending: Promise<never> | null = null;
if (options.against !== undefined) await runAgainst(options.against);
else await (options.tune ? runTuning() : runSuites());
// What a suite that failed has left open would keep a run alive that is over.
process.exit();

async function runSuites(): Promise<void> {
  const { only } = options;
  const chosen = suites.filter(({ name, alone }) => (only.length === 0 ? alone !== true : only.includes(name)));
  const bench = new Bench({ quick: options.quick, suites: chosen.map(({ name }) => name), say });
  onSignal(() => bench.close());
  const began = performance.now();
  try {
    for (const suite of chosen) await run(bench, suite);
  } finally {
    await bench.close();
  }
  const results = bench.results.all();
  const bars = bench.results.bars();
  if (bars.length > 0) say('\nBars');
  for (const { name, what, reached, wanted, met } of bars) {
    say(`  ${met ? 'met   ' : 'MISSED'} ${name}: ${reached.toPrecision(3)} (${what} ${wanted})`);
  }
  if (options.plots !== undefined) for (const path of await writePlots(results, options.plots)) say(path);
  say(`\n${Math.round((performance.now() - began) / 1_000)} s`);
  await tell({ machine, results, bars });
}

async function run(bench: Bench, suite: Suite): Promise<void> {
  say(`\n${suite.name}: ${suite.about}`);
  const began = performance.now();
  try {
    await suite.run(bench);
  } catch (error) {
    await ending;
    // The others have half an hour of measuring in them: they go on, and the exit code reports it.
    process.exitCode = 1;
    say(`  FAILED ${error instanceof Error ? error.stack : String(error)}`);
  }
  say(`  ${Math.round((performance.now() - began) / 1_000)} s`);
}

function runAgainst(folder: string): Promise<void> {
  say(`\nThis checkout divided by ${folder}: median of the pairs (quartiles)`);
  return withServers(async (stack) => ({ against: await against({ folder, quick: options.quick, say, stack }) }));
}

function runTuning(): Promise<void> {
  return withServers((stack) => tune({ quick: options.quick, say, stack }));
}

async function withServers(measure: (stack: AsyncDisposableStack) => Promise<object>): Promise<void> {
  const stack = new AsyncDisposableStack();
  onSignal(() => stack.disposeAsync());
  try {
    await tell({ machine, ...(await measure(stack)) });
  } catch (error) {
    await ending;
    throw error;
  } finally {
    await stack.disposeAsync();
  }
}

async function tell(report: object): Promise<void> {
  const line = JSON.stringify(report);
  if (options.save !== undefined) await writeFile(options.save, `${line}\n`);
  if (options.json) say(line);
}

/** The servers are in process groups of their own: the terminal's signal does not reach them. */
function onSignal(end: () => Promise<void>): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => {
      ending ??= end().then(
        () => process.exit(code),
        () => process.exit(code),
      );
    });
  }
}
