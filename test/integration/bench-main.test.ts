import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const entry = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));

test('a bench ends with one line of JSON that names the machine and each figure', async () => {
  const { stdout } = await run(process.execPath, [entry, '--quick', '--only', 'mailbox', '--json']);
  const { machine, results } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
  expect(machine).toMatchObject({ cores: expect.any(Number), node: process.version });
  expect(results.map(({ name }: { name: string }) => name)).toContain('mailbox/ask-alone');
  for (const result of results) {
    expect(result).toMatchObject({ unit: 'ops/s', median: expect.any(Number), ratios: expect.any(Object) });
    expect(result.min).toBeLessThanOrEqual(result.median);
    expect(result.median).toBeLessThanOrEqual(result.max);
  }
});

test('an unknown suite is reported at once, with the list of suites', async () => {
  const failed = run(process.execPath, [entry, '--only', 'pops']).catch((error: unknown) => error);
  expect(await failed).toMatchObject({ stderr: expect.stringContaining('no suite pops; there are: mailbox') });
});
