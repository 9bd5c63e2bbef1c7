import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { RandomRun } from '../fuzz/random.ts';

const entry = fileURLToPath(new URL('../fuzz/main.ts', import.meta.url));
/** Half a minute where the machine does nothing else; it may run other tests beside it. */
const withinMs = 300_000;
const requests = 800;

/** `make fuzz` sends more, and other ones each time. Times are for it to judge: here other tests take the cores. */
test('hostile input of one seed is answered, none of it by a failure of ours', { timeout: withinMs }, async () => {
  const args = [entry, '--requests', String(requests), '--seed', '1', '--only', 'nats,ctl,rest,amqp', '--json'];
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { maxBuffer: 2 ** 26 }, (_error, stdout, stderr) => {
      resolve(stdout.trim() === '' ? stderr : stdout);
    });
  });
  const { runs } = JSON.parse(output.trim().split('\n').at(-1)!) as { runs: RandomRun[] };
  expect(runs.flatMap(({ failures }) => failures.map(({ edge, fault, input }) => ({ edge, fault, input })))).toEqual(
    [],
  );
  expect(runs.flatMap(({ faults }) => faults)).toEqual([]);
  const sent = runs.flatMap(({ tallies }) => tallies);
  expect(sent.map(({ edge }) => edge)).toEqual(['nats', 'ctl', 'rest', 'amqp']);
  expect(sent.reduce((sum, tally) => sum + tally.requests, 0)).toBeGreaterThanOrEqual(requests);
});
