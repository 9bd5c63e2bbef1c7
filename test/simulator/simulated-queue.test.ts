import { expect, test } from 'vitest';
import type { NewTask } from '../../src/protocol/requests.ts';
import type { RankedTask } from '../../src/queue/push/rank.ts';
import { VirtualClock } from '../../src/simulator/virtual/clock.ts';
import { MemorySchedules } from '../../src/simulator/virtual/queue/memory-schedules.ts';
import { rankedPush } from '../../src/simulator/virtual/queue/ranked-push.ts';
import { SimulatedQueue } from '../../src/simulator/virtual/queue/simulated-queue.ts';

const policy = { fair: false, manualOnly: false };

function queueOf(): SimulatedQueue {
  const clock = new VirtualClock(0);
  const now = () => clock.now;
  return new SimulatedQueue({
    now,
    policyOf: () => policy,
    typeOf: () => 'normalizer',
    schedules: new MemorySchedules({ now, gracePeriodSeconds: 60, jitterSeconds: 0, changed: () => {} }),
    maxSize: 0,
    happened: { queued: () => {}, claimed: () => {}, changed: () => {} },
    after: (ms, run) => void clock.after(ms, run),
    limits: [],
    freed: () => {},
  });
}

const task = (organisation: string, priority?: number): NewTask => ({
  organisation,
  hash: organisation,
  checked: true,
  data: { normalizer: { id: 'kat_dns' } },
  recurrence: 'none',
  ...(priority === undefined ? {} : { priority }),
});

test('a pause is ended by what it holds, once for each time that it was set', () => {
  const queue = queueOf();
  const pause = (organisation: string) => ({ scheduler: 'normalizer', organisation, plugin: null });
  for (const organisation of ['aa', 'aa', 'bb']) queue.pause(pause(organisation));
  queue.of('normalizer').push([task('aa'), task('bb')], [2, 3]);
  const mayBePopped = () =>
    [...queue.of('normalizer').rows.byHash.values()].flatMap((row) => (row.held ? [] : row.hash));
  expect(queue.resume(pause('cc'))).toBe(false);
  expect(mayBePopped()).toEqual([]);
  expect(queue.resume(pause('aa'))).toBe(true);
  expect(mayBePopped()).toEqual([]);
  expect(queue.resume(pause('aa'))).toBe(true);
  expect(mayBePopped()).toEqual(['aa']);
  expect(queue.resume(pause('aa'))).toBe(false);
  expect(mayBePopped()).toEqual(['aa']);
});

test("a ranker that is not fair is asked about tasks without a priority alone, and its failure is the push's", async () => {
  const queue = queueOf();
  const asked: RankedTask[] = [];
  const ranking = {
    policyOf: () => policy,
    rank: async (_scheduler: string, tasks: readonly RankedTask[]) => {
      asked.push(...tasks);
      return { ranks: tasks.map(() => 70) };
    },
  };
  await rankedPush(queue, ranking, 'normalizer', [task('aa', 5), task('bb'), task('cc', 1)]);
  expect(asked.map(({ organisation }) => organisation)).toEqual(['bb']);
  const { rows } = queue.of('normalizer');
  expect([...rows.byHash.values()].map(({ rank }) => rank)).toEqual([5, 70, 1]);
  const failing = {
    ...ranking,
    rank: async () => ({ failure: { code: 'RANK_FAILED', message: 'no', retryable: false } }),
  };
  await expect(rankedPush(queue, failing, 'normalizer', [task('dd')])).rejects.toMatchObject({ code: 'RANK_FAILED' });
});
