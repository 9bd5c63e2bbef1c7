import { expect, test } from 'vitest';
import { fairRanking } from '../support/fair-ranking.ts';
import { boefjeTask, ooiOf, popRequest, queueUnderTest } from '../support/queue.ts';

test('fair-share: a push goes behind the last rank of its flow, read off the queue; what is queued already gets none', async () => {
  const seen: { lasts: readonly [string, number][]; virtualTimes: readonly [string, number][]; count: number }[] = [];
  const { queue } = await queueUnderTest({
    ranking: {
      ...fairRanking,
      rank: async (scheduler, tasks, fairness) => {
        const { lasts, virtualTimes } = fairness!;
        seen.push({ lasts: [...lasts], virtualTimes: [...virtualTimes], count: tasks.length });
        return fairRanking.rank(scheduler, tasks, fairness);
      },
    },
  });
  await queue.push('boefje', [boefjeTask('x', { priority: 9 }), boefjeTask('y')]);
  await queue.push('boefje', [boefjeTask('x'), boefjeTask('z'), boefjeTask('manual', { priority: 1 })]);
  expect(seen).toEqual([
    { lasts: [], virtualTimes: [['img:a', 1]], count: 2 },
    { lasts: [['aa\0img:a', 2_001]], virtualTimes: [['img:a', 1]], count: 1 },
  ]);
  const claimed = await queue.pop('boefje', popRequest({ limit: 9 }));
  expect(claimed.map(ooiOf)).toEqual(['manual', 'x', 'y', 'z']);
});

test('fair-share: what has no room gets no rank', async () => {
  const counts: number[] = [];
  const { queue } = await queueUnderTest({
    maxSize: 2,
    ranking: {
      ...fairRanking,
      rank: async (scheduler, tasks, fairness) => {
        counts.push(tasks.length);
        return fairRanking.rank(scheduler, tasks, fairness);
      },
    },
  });
  const outcomes = await queue.push(
    'boefje',
    ['a', 'b', 'c', 'd'].map((ooi) => boefjeTask(ooi)),
  );
  expect(outcomes.map((outcome) => ('reason' in outcome ? outcome.reason : outcome.outcome))).toEqual([
    'queued',
    'queued',
    'queue-full',
    'queue-full',
  ]);
  await queue.push('boefje', [boefjeTask('e'), boefjeTask('manual', { priority: 1 })]);
  expect(counts).toEqual([2]);
  expect((await queue.pop('boefje', popRequest({ limit: 9 }))).map(ooiOf)).toEqual(['manual', 'a', 'b']);
});

test('fair-share: a task that is popped while its twin is pushed never gets before what a person asked for', async () => {
  const { queue, another } = await queueUnderTest();
  const other = another({
    ranking: {
      policyOf: () => ({ stateful: true, manualOnly: true }),
      rank: async (_scheduler, tasks) => {
        // Between the look and the push: the twin leaves the queue.
        await queue.pop('boefje', popRequest());
        return { ranks: tasks.map(() => 7) };
      },
    },
  });
  await queue.push('boefje', [boefjeTask('twin', { priority: 2 })]);
  const outcomes = await other.push('boefje', [boefjeTask('twin'), boefjeTask('new')]);
  expect(outcomes[0]).toEqual({ outcome: 'refused', reason: 'already-queued' });
  await queue.push('boefje', [boefjeTask('manual', { priority: 1 })]);
  expect((await queue.pop('boefje', popRequest({ limit: 9 }))).map(ooiOf)).toEqual(['manual', 'new']);
});
