import { describeMachine } from './harness/machine.ts';
import { Bench, type Suite } from './harness/bench.ts';
import { readOptions } from './harness/options.ts';
import { suites } from './suites.ts';

const options = readOptions(process.argv.slice(2), new Map(suites.map(({ name, about }) => [name, about])));
const say = (text: string) => process.stdout.write(`${text}\n`);
const machine = describeMachine();
say(
  `${machine.cores} × ${machine.cpu}, ${machine.memory_gib} GiB, ${machine.os}, Node ${machine.node}, load ${machine.load_average}`,
);

const chosen = options.only.length === 0 ? suites : suites.filter(({ name }) => options.only.includes(name));
const bench = new Bench({ quick: options.quick, suites: chosen.map(({ name }) => name), say });
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  // The servers are in process groups of their own: nobody else would end them.
  process.once(signal, () => void bench.close().finally(() => process.exit(code)));
}
try {
  for (const suite of chosen) await run(suite);
} finally {
  await bench.close();
}

const bars = bench.results.bars();
if (bars.length > 0) say('\nBars');
for (const { name, what, reached, wanted, met } of bars) {
  say(`  ${met ? 'met   ' : 'MISSED'} ${name}: ${reached.toPrecision(3)} (${what} ${wanted})`);
}
if (options.json) say(JSON.stringify({ machine, results: bench.results.all() }));

async function run(suite: Suite): Promise<void> {
  say(`\n${suite.name}: ${suite.about}`);
  const began = performance.now();
  try {
    await suite.run(bench);
  } catch (error) {
    // The others have hours of measuring in them: they go on, and the exit code tells.
    process.exitCode = 1;
    say(`  FAILED ${error instanceof Error ? error.stack : String(error)}`);
  }
  say(`  ${Math.round((performance.now() - began) / 1_000)} s`);
}
