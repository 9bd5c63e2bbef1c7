import { expect, test, vi } from 'vitest';
import { Flights } from '../../src/queue/batching.ts';

/** Statements that end when the test ends them, over a queue of items that wait. */
function flightsUnderTest(most: number) {
  const started: { items: number; end: () => void }[] = [];
  const waiting = { items: 0 };
  let running = 0;
  const flights = new Flights({
    most,
    start: () => {
      while (!flights.full && waiting.items > 0 && flights.admits(waiting.items, running)) {
        const { promise, resolve } = Promise.withResolvers<void>();
        started.push({ items: waiting.items, end: resolve });
        waiting.items = 0;
        running += 1;
        flights.add(promise.finally(() => void (running -= 1)));
      }
    },
  });
  const ask = async (items: number) => {
    waiting.items += items;
    flights.schedule();
    await turn();
  };
  return { flights, ask, sizes: () => started.map(({ items }) => items), end: (at: number) => started[at]!.end() };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what is asked for in one turn of the event loop is one statement, which starts at once where none runs', async () => {
  const { flights, ask, sizes } = flightsUnderTest(4);
  flights.schedule();
  flights.schedule();
  await ask(3);
  expect(sizes()).toEqual([3]);
});

test('beside others a statement starts with 4, 16 and 64 items, and never more at once than allowed', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { ask, sizes } = flightsUnderTest(4);
  await ask(1);
  await ask(3);
  expect(sizes()).toEqual([1]);
  await ask(1);
  expect(sizes()).toEqual([1, 4]);
  await ask(15);
  await ask(1);
  expect(sizes()).toEqual([1, 4, 16]);
  await ask(64);
  await ask(1_000);
  expect(sizes()).toEqual([1, 4, 16, 64]);
  vi.useRealTimers();
});

test('what is too little starts when a statement ends', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { ask, sizes, end } = flightsUnderTest(4);
  await ask(1);
  await ask(2);
  end(0);
  await turn();
  await turn();
  expect(sizes()).toEqual([1, 2]);
  vi.useRealTimers();
});

test('behind a statement that hangs, what is too little starts after some milliseconds', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { ask, sizes } = flightsUnderTest(4);
  await ask(1);
  await ask(1);
  expect(sizes()).toEqual([1]);
  vi.advanceTimersByTime(5);
  expect(sizes()).toEqual([1, 1]);
  await ask(1);
  vi.advanceTimersByTime(5);
  expect(sizes()).toEqual([1, 1, 1]);
  vi.useRealTimers();
});

test('landed waits for those that run', async () => {
  const { flights, ask, end } = flightsUnderTest(2);
  await ask(1);
  let landed = false;
  const landing = flights.landed().then(() => (landed = true));
  await turn();
  expect(landed).toBe(false);
  end(0);
  await landing;
});
