import { readFile, writeFile } from 'node:fs/promises';
import { faults } from './faults/all.ts';
import type { Finding } from './findings.ts';
import { Lanes } from './lanes.ts';
import { readOptions } from './options.ts';
import { machineOf, machineSentence, sentencesOf, tableOf, withTable } from './report.ts';

const options = readOptions(process.argv.slice(2), faults);
const say = (text: string) => process.stdout.write(`${text}\n`);
if (options.list) {
  for (const { name, about } of faults) say(`${name.padEnd(28)}${about}`);
  process.exit();
}

const chosen = faults.filter(({ name }) => options.only?.includes(name) ?? true);
const found: Finding[] = [];
const lanes = new Lanes(chosen, (finding) => {
  found.push(finding);
  say(`${finding.verdict.padEnd(9)}${finding.fault} (${finding.seconds} s)`);
  for (const sentence of sentencesOf(finding)) say(`         ${sentence}`);
});
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.once(signal, () => {
    say('ends what was started');
    void lanes.stop().finally(() => process.exit(code));
  });
}
// Each server ends with us by a listener of its own.
process.setMaxListeners(0);
// A request of a load that has ended may still be refused by its closing connection.
process.on('unhandledRejection', (error) => process.stderr.write(`${String(error)}\n`));

await lanes.run(options.lanes);
const findings = chosen.flatMap(({ name }) => found.filter(({ fault }) => fault === name));
const machine = machineOf();
say(`\n${machineSentence(machine)}\n${tableOf(findings)}`);
for (const sentence of findings.flatMap(sentencesOf)) say(sentence);
if (options.page !== undefined) {
  await writeFile(options.page, withTable(await readFile(options.page, 'utf8'), findings, machine, new Date()));
}
const held = findings.every(({ verdict }) => verdict !== 'broke');
if (options.json) say(JSON.stringify({ held, machine, findings }));
process.exit(held ? 0 : 1);
