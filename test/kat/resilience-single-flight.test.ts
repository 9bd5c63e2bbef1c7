import { describe, expect, test } from 'vitest';
import { createSingleFlight } from '../../src/kat/resilience.ts';

function flightOf() {
  let now = 0;
  const requests: PromiseWithResolvers<number>[] = [];
  const flight = createSingleFlight<number>({ ttlMs: 100, now: () => now });
  const load = () => {
    const request = Promise.withResolvers<number>();
    requests.push(request);
    return request.promise;
  };
  return { flight, load, requests, advance: (ms: number) => (now += ms) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('single flight', () => {
  test('asks once for callers that come together, and keeps the answer for its time', async () => {
    const { flight, load, requests, advance } = flightOf();
    const answers = Promise.all([flight.get('a', load), flight.get('a', load), flight.get('b', load)]);
    await turn();
    expect(requests).toHaveLength(2);
    requests[0]!.resolve(1);
    requests[1]!.resolve(2);
    expect(await answers).toEqual([1, 1, 2]);
    advance(99);
    expect(await flight.get('a', load)).toBe(1);
    advance(1);
    void flight.get('a', load);
    expect(requests).toHaveLength(3);
  });

  test('shares a failure among all waiting calls, and keeps none', async () => {
    const { flight, load, requests } = flightOf();
    const answers = Promise.allSettled([flight.get('a', load), flight.get('a', load)]);
    await turn();
    requests[0]!.reject(new Error('down'));
    expect((await answers).map((answer) => answer.status)).toEqual(['rejected', 'rejected']);
    const again = flight.get('a', load);
    requests[1]!.resolve(3);
    expect(await again).toBe(3);
  });

  test('a fresh answer comes from a request that began after it was asked for, one at a time', async () => {
    const { flight, load, requests } = flightOf();
    const old = flight.get('a', load);
    const fresh = Promise.all([flight.get('a', load, { fresh: true }), flight.get('a', load, { fresh: true })]);
    await turn();
    expect(requests).toHaveLength(1);
    requests[0]!.resolve(1);
    expect(await old).toBe(1);
    await turn();
    expect(requests).toHaveLength(2);
    requests[1]!.resolve(2);
    expect(await fresh).toEqual([2, 2]);
    expect(await flight.get('a', load)).toBe(2);
  });

  // The configurations of 30 boefjes in a thousand organisations: keeps that scanned all others took 8.7 s.
  test('keeps ten thousands of answers at the cost of each alone', { timeout: 60_000 }, async () => {
    const { flight, advance } = flightOf();
    const began = performance.now();
    for (let at = 0; at < 30_000; at += 1) await flight.get(`${at}`, async () => at);
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(await flight.get('0', async () => -1)).toBe(0);
    advance(100);
    expect(await flight.get('0', async () => -1)).toBe(-1);
  });

  test('keeps a renewed answer for its own time, beyond that of answers which came after the first', async () => {
    const { flight, advance } = flightOf();
    const answer = (key: string, value: number, fresh = false) => flight.get(key, async () => value, { fresh });
    await answer('a', 1);
    advance(50);
    await answer('b', 1);
    advance(40);
    await answer('a', 2, true);
    advance(60);
    expect([await answer('b', 3), await answer('a', 3)]).toEqual([3, 2]);
  });
});
