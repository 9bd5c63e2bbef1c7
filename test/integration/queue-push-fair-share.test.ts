import { expect, test } from 'vitest';
import { boefjeTask, ooiOf, popRequest, queueUnderTest } from '../support/queue.ts';

test('fair-share: tags are ranked and moved inside the push, and what is queued already moves none', async () => {
  const seen: { tags: [string, number][]; virtualTime: number; count: number }[] = [];
  const { queue } = await queueUnderTest({
    ranking: {
      policyOf: () => ({ stateful: true, manualOnly: true }),
      rank: async (_scheduler, tasks, fairness) => {
        seen.push({ tags: [...fairness!.tags], virtualTime: fairness!.virtualTime, count: tasks.length });
        const last = fairness!.tags.get('aa') ?? 2;
        return { ranks: tasks.map((_, index) => last + index + 1), tags: new Map([['aa', last + tasks.length]]) };
      },
    },
  });
  await queue.push('boefje', [boefjeTask('x', { priority: 9 }), boefjeTask('y')]);
  await queue.push('boefje', [boefjeTask('x'), boefjeTask('z'), boefjeTask('manual', { priority: 1 })]);
  expect(seen).toEqual([
    { tags: [], virtualTime: 2, count: 2 },
    { tags: [['aa', 4]], virtualTime: 3, count: 1 },
  ]);
  const claimed = await queue.pop('boefje', popRequest({ limit: 9 }));
  expect(claimed.map(ooiOf)).toEqual(['manual', 'x', 'y', 'z']);
});

test('fair-share: what has no room moves no tag', async () => {
  const tags: number[] = [];
  const { queue } = await queueUnderTest({
    maxSize: 2,
    ranking: {
      policyOf: () => ({ stateful: true, manualOnly: true }),
      rank: async (_scheduler, tasks, fairness) => {
        const last = fairness!.tags.get('aa') ?? 2;
        tags.push(last + tasks.length);
        return { ranks: tasks.map((_, index) => last + index), tags: new Map([['aa', last + tasks.length]]) };
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
  expect(tags).toEqual([4]);
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
