import { expect, test } from 'vitest';
import { closedLoop, Meter, openLoop } from '../../bench/harness/load.ts';

const unhurried = { warmUpMs: 0, measureMs: 600_000 };

test('a sample ends early when it has handled as many as the queue can spare', async () => {
  let sent = 0;
  const sample = await closedLoop({
    ...unhurried,
    inFlight: 4,
    most: 100,
    send: (_slot, done) => {
      sent += 1;
      setImmediate(() => done(1));
    },
  });
  expect(sample.latenciesMs).toHaveLength(100);
  // Those that were under way when the hundredth came back.
  expect(sent).toBe(103);
  expect(sample.value).toBeGreaterThan(0);
});

test('each requester has one request under way at most', async () => {
  const under = new Map<number, number>();
  let most = 0;
  await closedLoop({
    ...unhurried,
    inFlight: 3,
    most: 50,
    send: (slot, done) => {
      under.set(slot, (under.get(slot) ?? 0) + 1);
      most = Math.max(most, under.get(slot)!);
      setImmediate(() => {
        under.set(slot, under.get(slot)! - 1);
        done(1);
      });
    },
  });
  expect([...under.keys()]).toEqual([0, 1, 2]);
  expect(most).toBe(1);
});

test('what is handled while warming up does not count', async () => {
  let handled = 0;
  const sample = await closedLoop({
    warmUpMs: 600_000,
    measureMs: 600_000,
    inFlight: 1,
    most: 100,
    send: (_slot, done) => {
      handled += 1;
      setImmediate(() => done(1));
    },
  });
  // A fifth of what may be taken warms up.
  expect(handled).toBe(120);
  expect(sample.latenciesMs).toHaveLength(100);
});

test('a sample goes on until each requester was answered, however long that takes', async () => {
  const sample = await closedLoop({
    warmUpMs: 0,
    measureMs: 1,
    inFlight: 3,
    send: (_slot, done) => setTimeout(() => done(1), 10),
  });
  expect(sample.latenciesMs!.length).toBeGreaterThanOrEqual(3);
});

test('a request that fails fails the sample', async () => {
  const sample = closedLoop({
    ...unhurried,
    inFlight: 2,
    send: (_slot, _done, failed) => failed(new Error('refused')),
  });
  await expect(sample).rejects.toThrow('refused');
});

test('a meter ends when as many are handled as there may be, and answers with their rate', async () => {
  const meter = new Meter({ ...unhurried, most: 10 });
  for (let handled = 0; handled < 12; handled += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    meter.count();
  }
  expect(await meter.rate).toBeGreaterThan(0);
});

test('a meter of something that does nothing answers 0', async () => {
  expect(await new Meter({ warmUpMs: 1, measureMs: 1, most: 10 }).rate).toBe(0);
});

test('an open loop sends at its rate, whether it is answered or not, and times from when a request was due', async () => {
  const waiting: (() => void)[] = [];
  const tenth = Promise.withResolvers<void>();
  const began = performance.now();
  const loop = openLoop({
    rate: 1_000,
    most: 100_000,
    send: (_slot, done) => {
      waiting.push(() => done(1));
      if (waiting.length === 10) tenth.resolve();
    },
  });
  await tenth.promise;
  const stopped = loop.stop();
  for (const answer of waiting) answer();
  await stopped;
  const [first] = loop.take();
  // Ten requests at a thousand a second: the first was answered nine milliseconds after it was due, or later.
  expect([first! >= 8, first! <= performance.now() - began]).toEqual([true, true]);
  expect(loop.take()).toHaveLength(0);
});

test('an open loop fails where more requests wait than it may have', async () => {
  const answers: (() => void)[] = [];
  const third = Promise.withResolvers<void>();
  const loop = openLoop({
    rate: 100_000,
    most: 3,
    send: (_slot, done) => {
      answers.push(() => done(1));
      if (answers.length === 3) third.resolve();
    },
  });
  await third.promise;
  const stopped = loop.stop();
  for (const answer of answers) answer();
  await expect(stopped).rejects.toThrow('more than 3 requests are unanswered');
});
