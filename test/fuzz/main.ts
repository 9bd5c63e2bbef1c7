import { machineOf, machineSentence } from '../drill/report.ts';
import { readOptions } from './options.ts';
import { runRandom } from './random.ts';
import { held, sentencesOf, tableOf } from './report.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);
const options = readOptions(process.argv.slice(2), []);
say(`seed ${options.seed}, ${options.requests} requests`);
// Each server ends with us by a listener of its own.
process.setMaxListeners(0);
const { requests, seed, only } = options;
const runs = await runRandom({
  requests,
  seed,
  ...(only === undefined ? {} : { only }),
  told: ({ edge, fault, input }) => say(`${edge}: ${fault}\n    ${input}`),
});
say(`\n${machineSentence(machineOf())}\n${tableOf(runs)}`);
for (const sentence of runs.flatMap(sentencesOf)) say(sentence);
if (options.json) say(JSON.stringify({ held: held(runs), runs }));
process.exit(held(runs) ? 0 : 1);
