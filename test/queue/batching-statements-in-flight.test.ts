import { expect, test, vi } from 'vitest';
import { StatementsInFlight } from '../../src/queue/batching.ts';

/** Statements that end when the test ends them, over a queue of items that wait. */
function statementsUnderTest(most: number) {
  const started: { items: number; end: () => void }[] = [];
  const waiting = { items: 0 };
  let running = 0;
  const statements = new StatementsInFlight({
    most,
    start: () => {
      while (!statements.full && waiting.items > 0 && statements.admits(waiting.items, running)) {
        const { promise, resolve } = Promise.withResolvers<void>();
        started.push({ items: waiting.items, end: resolve });
        waiting.items = 0;
        running += 1;
        statements.add(promise.finally(() => void (running -= 1)));
      }
    },
  });
  const ask = async (items: number) => {
    waiting.items += items;
    statements.schedule();
    await turn();
  };
  return { statements, ask, sizes: () => started.map(({ items }) => items), end: (at: number) => started[at]!.end() };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what is asked for in one turn of the event loop is one statement, which starts at once where none runs', async () => {
  const { statements, ask, sizes } = statementsUnderTest(4);
  statements.schedule();
  statements.schedule();
  await ask(3);
  expect(sizes()).toEqual([3]);
});

test('beside others a statement starts with 4, 16 and 64 items, and never more at once than allowed', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { ask, sizes } = statementsUnderTest(4);
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
  const { ask, sizes, end } = statementsUnderTest(4);
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
  const { ask, sizes } = statementsUnderTest(4);
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

test('settled waits for those that run', async () => {
  const { statements, ask, end } = statementsUnderTest(2);
  await ask(1);
  let settled = false;
  const settling = statements.settled().then(() => (settled = true));
  await turn();
  expect(settled).toBe(false);
  end(0);
  await settling;
});
