import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Finding } from '../drill/findings.ts';

const entry = fileURLToPath(new URL('../drill/main.ts', import.meta.url));
/** Short ones that share a scene; `make drill` plays all. */
const selection = ['workers-killed', 'rabbitmq-cut', 'octopoes-out'];
/** Of a machine that runs other tests beside it. */
const withinMs = 300_000;

test('a selection of the drills finds every guarantee held', { timeout: withinMs }, async () => {
  const args = [entry, '--only', selection.join(','), '--lanes', '1', '--json'];
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, (_error, stdout, stderr) => resolve(stdout === '' ? stderr : stdout));
  });
  const { findings } = JSON.parse(output.trim().split('\n').at(-1)!) as { findings: Finding[] };
  expect(findings.flatMap(({ fault, breaches }) => breaches.map((breach) => ({ fault, ...breach })))).toEqual([]);
  expect(findings.map(({ verdict }) => verdict)).toEqual(selection.map(() => 'held'));
  for (const { figures } of findings) expect(figures!.completed).toBeGreaterThan(0);
});
