import { readFile } from 'node:fs/promises';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { popBody, taskBody } from '../../src/nats/requests.ts';
import { Alone } from '../fuzz/alone.ts';
import { arbitraryOf } from '../fuzz/arbitrary.ts';
import { judged, shortened } from '../fuzz/edge.ts';
import { readOptions } from '../fuzz/options.ts';
import { rows } from '../fuzz/rows/all.ts';

const page = () => readFile(new URL('../../docs/fuzzing.md', import.meta.url), 'utf8');
const names = rows.map(({ name }) => name);

test('docs/fuzzing.md has a line for each scenario, in their order, and for no other', async () => {
  const table = (await page()).split('## Scenarios')[1]!;
  const lines = [...table.matchAll(/^\| `([a-z-]+)` +\| (.*?) +\|$/gm)].map(([, name, about]) => ({ name, about }));
  expect(lines).toEqual(rows.map(({ name, about }) => ({ name, about })));
});

test('every command that the page shows is one that the fuzzer takes', async () => {
  const shown = [...(await page()).matchAll(/make fuzz ARGS="([^"]*)"/g)].map(([, args]) => args!.split(' '));
  expect(shown.length).toBeGreaterThan(4);
  for (const args of shown) expect(() => readOptions(args, names)).not.toThrow();
});

const world = { vocabulary: {}, ids: ['7f1b1f0e-6f6a-4b57-8e0a-111111111111'] };

test.for([
  ['pop', popBody],
  ['push', taskBody],
] as const)('of the inputs for a %s some fit its schema and some do not', ([, schema]) => {
  const inputs = fc.sample(arbitraryOf(schema, world), { numRuns: 400, seed: 1 });
  const fitting = inputs.filter((input) => schema.safeParse(JSON.parse(JSON.stringify(input) ?? 'null')).success);
  expect(fitting.length).toBeGreaterThan(20);
  expect(fitting.length).toBeLessThan(380);
});

test('what fits a schema without filters is made to fit it', () => {
  const schema = z.strictObject({ id: z.uuid(), count: z.int().min(1).max(9), kind: z.enum(['a', 'b']).nullish() });
  const inputs = fc.sample(arbitraryOf(schema, world), { numRuns: 400, seed: 2 });
  expect(inputs.filter((input) => schema.safeParse(input).success).length).toBeGreaterThan(100);
});

const answer = { text: '{}', bytes: 2, ms: 1, detail: 'why' };

test.for<[string, Partial<Parameters<typeof judged>[0]>, string | undefined]>([
  ['an answer', { status: 200 }, undefined],
  ['an answer of 1 MB', { status: 200, bytes: 1e6 }, undefined],
  ['a refusal', { status: 422, bytes: 8_000 }, undefined],
  ['a refusal of 20 kB', { status: 422, bytes: 20_000 }, 'a refusal (422) of more than 8 kB'],
  ['503 with a reason', { status: 503 }, undefined],
  ['503 without one', { status: 503, detail: '' }, 'answered 503 without a reason'],
  ['500', { status: 500 }, 'answered 500: why'],
  ['502', { status: 502 }, 'answered 502: why'],
  ['an internal error', { status: 500, text: '{"detail":"Internal Server Error"}' }, 'answered 500: internal error'],
])('%s is judged', ([, of, fault]) => {
  expect(judged({ status: 200, ...answer, ...of }).fault).toBe(fault);
});

test('what is shown of an input is short, and says how long it was', () => {
  expect(shortened(`a${'xy'.repeat(1_000)}b`)).toBe('a«xy × 1000»b');
  expect(shortened(`a${'x'.repeat(1_000)}b\u001B`)).toBe('a«x × 1000»b\\u001b');
});

test('no input runs beside one that runs alone', async () => {
  const turn = new Alone();
  let beside = 0;
  const seen: number[] = [];
  const among = async () =>
    turn.among(async () => {
      beside += 1;
      await new Promise((resolve) => setImmediate(resolve));
      beside -= 1;
    });
  const alone = async () =>
    turn.alone(async () => {
      seen.push(beside);
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(beside);
    });
  await Promise.all([among(), among(), alone(), among(), alone(), alone(), among()]);
  expect(seen).toEqual([0, 0, 0, 0, 0, 0]);
});
