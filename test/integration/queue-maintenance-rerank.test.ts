import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/postgres/pool.ts';
import type { TaskRanking } from '../../src/queue/push/rank.ts';
import { previewRerank, rerank } from '../../src/queue/maintenance/rerank.ts';
import { boefjeTask, ooiOf, popRequest, queueUnderTest } from '../support/queue.ts';

test('what a person puts first while the queue is ranked again stays first', async () => {
  const { queue, sql } = await queueUnderTest();
  await queue.push('boefje', [boefjeTask('a', { priority: 5 }), boefjeTask('b', { priority: 6 })]);
  const [{ id }] = await sql<[{ id: string }]>`SELECT id FROM queue WHERE rank = 6`;
  const ranking: TaskRanking = {
    policyOf: () => ({ fair: false, manualOnly: false }),
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

test('no snapshot stays open while batches are moved, and what is over a batch is moved too', async () => {
  const { queue, sql } = await queueUnderTest();
  await queue.push(
    'boefje',
    Array.from({ length: 2_500 }, (_, index) => boefjeTask(`ooi-${index}`, { priority: 5 })),
  );
  let first = 100;
  const open: unknown[] = [];
  const ranking: TaskRanking = {
    policyOf: () => ({ fair: false, manualOnly: false }),
    rank: async (_scheduler, tasks) => {
      open.push(
        ...(await sql.unsafe(`SELECT query FROM pg_stat_activity
          WHERE datname = current_database() AND state = 'idle in transaction'`)),
      );
      const ranks = tasks.map((_, index) => first + index);
      first += tasks.length;
      return { ranks };
    },
  };
  const moved: number[] = [];
  await rerank(sql, ranking, 'boefje', (_looked, count) => moved.push(count));
  expect(open).toEqual([]);
  expect(moved).toEqual([1_000, 1_000, 500]);
  const rows = await sql`SELECT count(DISTINCT q.rank)::integer AS ranks, min(q.rank)::integer AS first,
      max(q.rank)::integer AS last, bool_and(q.rank = t.priority) AS agree FROM queue q JOIN tasks t USING (id)`;
  expect([...rows]).toEqual([{ ranks: 2_500, first: 100, last: 2_599, agree: true }]);
});

test('a connection that is lost meanwhile ends it, with what was moved until then, and it can be begun again', async () => {
  const { queue, sql, url } = await queueUnderTest();
  await queue.push('boefje', [boefjeTask('a', { priority: 5 }), boefjeTask('b', { priority: 6 })]);
  const admin = connect(url, { max: 1 });
  onTestFinished(() => admin.end());
  let cuts = 1;
  const ranking: TaskRanking = {
    policyOf: () => ({ fair: false, manualOnly: false }),
    rank: async (_scheduler, tasks) => {
      if (cuts-- > 0) {
        await admin`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
          WHERE datname = current_database() AND query LIKE 'FETCH%' AND pid <> pg_backend_pid()`;
      }
      return { ranks: tasks.map((_, index) => 200 + index) };
    },
  };
  await expect(rerank(sql, ranking, 'boefje', () => {})).rejects.toThrow();
  await rerank(sql, ranking, 'boefje', () => {});
  expect([...(await sql`SELECT rank::integer FROM queue ORDER BY rank`)]).toEqual([{ rank: 200 }, { rank: 201 }]);
});

test('a preview counts whose the next thousand are, as they are and with another ranker, and changes nothing', async () => {
  const { queue, sql } = await queueUnderTest();
  const tasks = (organisation: string, count: number, priority: number) =>
    Array.from({ length: count }, (_none, at) => boefjeTask(`${organisation}-${at}`, { organisation, priority }));
  await queue.push('boefje', tasks('large', 1_500, 10));
  await queue.push('boefje', tasks('small', 300, 20));
  await queue.push('boefje', tasks('first', 2, 1));
  await queue.push('boefje', tasks('heavy', 300, 20));
  await sql`INSERT INTO fairness (scheduler, organisation, weight) VALUES ('boefje', 'heavy', 2)`;
  const order = () => sql`SELECT id, rank FROM queue ORDER BY rank, created_at, id`;
  const before = await order();
  const rankBy = (fair: boolean) => ({
    rankBy: async (_ranker: string, { length }: { readonly length: number }) => ({
      fair,
      ranks: Array.from({ length }, () => 1_000),
    }),
  });
  const { organisations, ...looked } = await previewRerank(sql, rankBy(true), 'boefje', 'fair-share');
  expect(looked).toEqual({ looked: 2_102, looked_is_least: false, counted: 1_000 });
  // Turns of large, small, and twice heavy, until heavy and small have none left.
  expect(Object.fromEntries(organisations.map(({ name, ...places }) => [name, places]))).toEqual({
    large: { before: { count: 998, first: 3 }, after: { count: 398, first: expect.any(Number) } },
    small: { before: { count: 0, first: null }, after: { count: 300, first: expect.any(Number) } },
    heavy: { before: { count: 0, first: null }, after: { count: 300, first: 3 } },
    first: { before: { count: 2, first: 1 }, after: { count: 2, first: 1 } },
  });
  const equal = await previewRerank(sql, rankBy(false), 'boefje', 'created-at');
  expect(equal.organisations[0]).toMatchObject({ name: 'large', before: { count: 998 }, after: { count: 998 } });
  expect(await order()).toEqual(before);
});
