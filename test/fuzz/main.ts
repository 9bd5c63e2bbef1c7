import { machineOf, machineSentence } from '../drill/report.ts';
import { type FuzzOptions, readOptions } from './options.ts';
import { runRandom } from './random.ts';
import { held, rowTableOf, sentencesOf, tableOf } from './report.ts';
import { rows } from './rows/all.ts';
import { playRows } from './rows/play.ts';
import { endStages } from './stage.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);
const options = readOptions(
  process.argv.slice(2),
  rows.map(({ name }) => name),
);
if (options.list) {
  for (const { name, about } of rows) say(`${name.padEnd(20)}${about}`);
  process.exit();
}
// Each server ends with us by a listener of its own.
process.setMaxListeners(0);
const endWith = (code: number) => void endStages().finally(() => process.exit(code));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => endWith(130));
// Also what fails since its stage was ended under it.
process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.stack}\n`);
  endWith(1);
});
const withstood = options.rows === undefined ? await random(options) : await crafted(options.rows);
process.exit(withstood ? 0 : 1);

async function random({ requests, seed, only, json }: FuzzOptions): Promise<boolean> {
  say(`seed ${seed}, ${requests} requests`);
  const runs = await runRandom({
    requests,
    seed,
    ...(only === undefined ? {} : { only }),
    told: ({ edge, fault, input }) => say(`${edge}: ${fault}\n    ${input}`),
    ended(run) {
      say(`\n${machineSentence(machineOf())}\n${tableOf([run])}`);
      for (const sentence of sentencesOf(run)) say(sentence);
    },
  });
  if (json) say(JSON.stringify({ held: held(runs), runs }));
  return held(runs);
}

async function crafted(names: true | readonly string[]): Promise<boolean> {
  const chosen = rows.filter(({ name }) => names === true || names.includes(name));
  const findings = await playRows(chosen, ({ row, faults, seconds }) => {
    say(`${faults.length === 0 ? 'held ' : 'broke'} ${row} (${seconds.toFixed(0)} s)`);
    for (const fault of faults) say(`      ${fault}`);
  });
  say(`\n${machineSentence(machineOf())}\n${rowTableOf(findings)}`);
  if (options.json) say(JSON.stringify({ held: findings.every(({ faults }) => faults.length === 0), findings }));
  return findings.every(({ faults }) => faults.length === 0);
}
