import { expect, test } from 'vitest';
import type { TaskRanking } from '../../src/queue/rank.ts';
import { rerank } from '../../src/queue/rerank.ts';
import { boefjeTask, ooiOf, popRequest, queueUnderTest } from '../support/queue.ts';

test('what a person puts first while the queue is ranked anew stays first', async () => {
  const { queue, sql } = await queueUnderTest();
  await queue.push('boefje', [boefjeTask('a', { priority: 5 }), boefjeTask('b', { priority: 6 })]);
  const [{ id }] = await sql<[{ id: string }]>`SELECT id FROM queue WHERE rank = 6`;
  const ranking: TaskRanking = {
    policyOf: () => ({ stateful: false, manualOnly: false }),
    rank: async (_scheduler, tasks) => {
      // Between the look and the move.
      await queue.patch([{ id, via: 'rest', leaseId: null, priority: 1 }]);
      return { ranks: tasks.map((_, index) => 100 + index) };
    },
  };
  const moved: number[] = [];
  await rerank(sql, ranking, 'boefje', (_looked, count) => moved.push(count));
  expect(moved).toEqual([1]);
  expect(JSON.parse((await queue.get(id))!)).toMatchObject({ priority: 1 });
  expect((await queue.pop('boefje', popRequest({ limit: 9 }))).map(ooiOf)).toEqual(['b', 'a']);
});
