import * as fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { perTurn, Turns } from '../../src/nats/turns.ts';

afterEach(() => void vi.restoreAllMocks());

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('few begin at once; of a flood another client’s request is among the first of the next turn', async () => {
  vi.spyOn(performance, 'now').mockReturnValue(0);
  const begun: string[] = [];
  const turns = new Turns<string>((item) => begun.push(item));
  turns.add('a', 'first');
  expect(begun).toEqual(['first']);
  for (let n = 0; n < 1_000; n += 1) turns.add('flood', 'flood');
  turns.add('b', 'other');
  expect(begun.length).toBe(perTurn);
  await turn();
  expect(begun.indexOf('other')).toBeLessThan(perTurn + 2);
  while (begun.length < 1_002) await turn();
  turns.add('a', 'last');
  expect(begun.at(-1)).toBe('last');
});

test('expensive requests end a turn early; one begins in each', async () => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const begun: string[] = [];
  const turns = new Turns<string>((item) => {
    begun.push(item);
    now += 6;
  });
  for (let n = 0; n < 10; n += 1) turns.add('dear', `${n}`);
  expect(begun).toEqual(['0', '1']);
  await turn();
  expect(begun.length).toBeLessThan(5);
  while (begun.length < 10) await turn();
  expect(begun.at(-1)).toBe('9');
});

test('whatever comes, all of it begins once, each client’s in its order', async () => {
  const arrivals = fc.array(fc.constantFrom('a', 'b', 'c', '|'), { maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(arrivals, async (clients) => {
      const begun: string[] = [];
      const turns = new Turns<string>((item) => begun.push(item));
      const sent: string[] = [];
      for (const [at, client] of clients.entries()) {
        if (client === '|') await turn();
        else {
          sent.push(`${client}${at}`);
          turns.add(client, `${client}${at}`);
        }
      }
      for (let n = 0; n < 20; n += 1) await turn();
      for (const client of ['a', 'b', 'c']) {
        const of = (items: readonly string[]) => items.filter((item) => item.startsWith(client));
        expect(of(begun)).toEqual(of(sent));
      }
    }),
    { numRuns: 30 },
  );
});
