import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { flowsOf } from '../../src/queue/push/push-statement.ts';
import { Deal } from '../../src/queue/push/requeue.ts';
import { query, statement, transaction } from '../../src/postgres/pool.ts';
import { blocksOf } from '../support/blocks.ts';
import { fairRanking } from '../support/fair-ranking.ts';
import { boefjeTask, ooiOf, popRequest, type QueueUnderTest, queueUnderTest } from '../support/queue.ts';

const under = (options = {}) => queueUnderTest({ ranking: fairRanking, ...options });

async function ranks({ sql }: QueueUnderTest): Promise<Record<string, number>> {
  const rows = await sql.unsafe<{ ooi: string; rank: number }[]>(
    "SELECT data ->> 'input_ooi' AS ooi, rank::float8 AS rank FROM queue JOIN tasks USING (id)",
  );
  return Object.fromEntries(rows.map(({ ooi, rank }) => [ooi, rank]));
}

test('a push goes behind the last rank of its flow, read off the queue; what is queued already costs nothing', async () => {
  const use = await under();
  const { queue } = use;
  await queue.push('boefje', [boefjeTask('x', { priority: 9 }), boefjeTask('y')]);
  await queue.push('boefje', [
    boefjeTask('x'),
    boefjeTask('y'),
    boefjeTask('z'),
    boefjeTask('manual', { priority: 1 }),
  ]);
  expect(await ranks(use)).toEqual({ x: 1_001, y: 2_001, z: 3_001, manual: -4_503_599_627_369_496 });
  const claimed = await queue.pop('boefje', popRequest({ limit: 9 }));
  expect(claimed.map(ooiOf)).toEqual(['manual', 'x', 'y', 'z']);
  expect(claimed.map(({ task }) => (JSON.parse(task) as { priority: number }).priority)).toEqual([
    1, 1_001, 2_001, 3_001,
  ]);
});

test('what has no room costs nothing', async () => {
  const use = await under({ maxSize: 2 });
  const { queue } = use;
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
  await queue.pop('boefje', popRequest({ limit: 2 }));
  await queue.push('boefje', [boefjeTask('f')]);
  expect(await ranks(use)).toEqual({ b: 2_001, f: 3_001 });
});

test('sets that are pushed at once, by two supervisors too, get no rank twice', async () => {
  const use = await under();
  const queues = [use.queue, use.another()];
  await Promise.all(
    Array.from({ length: 40 }, (_, at) =>
      queues[at % 2]!.push('boefje', [boefjeTask(`${at}-a`), boefjeTask(`${at}-b`)]),
    ),
  );
  const given = Object.values(await ranks(use)).toSorted((a, b) => a - b);
  expect(given).toEqual(Array.from({ length: 80 }, (_, at) => 1_001 + at * 1_000));
});

test('of what persons put first, organisations take turns, and one image’s workers lend no share on another’s', async () => {
  const use = await under();
  const { queue } = use;
  const manual = (organisation: string, count: number, image = 'a') =>
    queue.push(
      'boefje',
      Array.from({ length: count }, () => boefjeTask(undefined, { organisation, image, priority: 1 })),
    );
  const pop = async (limit: number) =>
    (await queue.pop('boefje', popRequest({ limit, leaseMs: 86_400_000 }))).map(
      ({ task }) => (JSON.parse(task) as { organisation: string }).organisation,
    );
  await queue.push('boefje', [boefjeTask('later', { organisation: 'none' })]);
  await manual('big', 3_000);
  await manual('stuck', 1, 'b');
  await pop(100);
  await manual('one', 1);
  expect((await pop(10)).indexOf('one')).toBeLessThanOrEqual(2);
  await manual('two', 1_000);
  const served = await pop(1_000);
  expect(Math.abs(served.filter((name) => name === 'two').length - 500)).toBeLessThanOrEqual(25);
  expect(served).not.toContain('none');
});

test('a manual task that failed takes its turn again among the manual ones', async () => {
  const use = await under();
  const { queue } = use;
  await queue.push('boefje', [boefjeTask('failed', { organisation: 'x', priority: 1 })]);
  const [claimed] = await queue.pop('boefje', popRequest());
  await queue.patch([{ id: claimed!.id, leaseId: claimed!.leaseId, via: 'rest', status: 'failed' }]);
  await queue.push('boefje', [
    boefjeTask('normal', { organisation: 'y' }),
    boefjeTask('first', { organisation: 'y', priority: 1 }),
    boefjeTask('second', { organisation: 'y', priority: 1 }),
  ]);
  await queue.patch([{ id: claimed!.id, leaseId: null, via: 'rest', status: 'queued' }]);
  expect((await queue.pop('boefje', popRequest({ limit: 9 }))).map(ooiOf)).toEqual([
    'failed',
    'first',
    'second',
    'normal',
  ]);
});

test('what is dealt out to tasks that come back is what a push would deal out', async () => {
  const { sql } = await under();
  const weight = fc.double({ min: 0.001, max: 1_000, noNaN: true });
  await sql.unsafe("INSERT INTO fairness (scheduler, organisation) VALUES ('boefje', 'x')");
  await fc.assert(
    fc.asyncProperty(weight, fc.integer({ min: -5, max: 2_000_000_000 }), async (weight, cost) => {
      await sql.unsafe('UPDATE fairness SET weight = $1', [weight]);
      const flow = { organisation: 'x', image: '', manual: false };
      const deal = new Deal('boefje', 'queued');
      const [first, second] = await transaction(sql, async (dealing) => {
        await deal.start(dealing, [flow], []);
        const starts = await query<{ starts: number; step: number }>(
          dealing,
          `SELECT starts::float8, rota_step($3::float8, weight)::float8 AS step FROM rota_flows($1, $2::text::json, '[]')`,
          ['boefje', JSON.stringify(flowsOf([flow]).flows), cost],
        );
        return [deal.next(flow, cost), starts[0]!.starts + starts[0]!.step];
      });
      expect(first).toBe(second);
    }),
    { numRuns: 60 },
  );
});

test('an image that others’ workers go through quickly carries no other image with it', async () => {
  const use = await under();
  const { queue } = use;
  const push = (organisation: string, count: number, image: string) =>
    queue.push(
      'boefje',
      Array.from({ length: count }, () => boefjeTask(undefined, { organisation, image })),
    );
  const pop = async (limit: number, image?: string) => {
    const filters = { filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'eq', value: image }] };
    const popped = await queue.pop(
      'boefje',
      popRequest({ limit, leaseMs: 86_400_000, ...(image === undefined ? {} : { filters: filters as never }) }),
    );
    return popped.map(({ task }) => (JSON.parse(task) as { organisation: string }).organisation);
  };
  await push('big', 800, 'a');
  await pop(10);
  await push('evil', 900, 'x');
  for (let at = 0; at < 9; at += 1) await pop(100, 'x');
  await queue.ranksFairly('boefje');
  await push('victim', 1, 'b');
  expect((await pop(50)).indexOf('victim')).toBeLessThanOrEqual(2);
});

test('a priority that a patch gives ends no turns among what persons put first', async () => {
  const use = await under();
  const { queue } = use;
  await queue.push('boefje', [boefjeTask('patched'), boefjeTask('normal')]);
  const [row] = await use.sql`SELECT id FROM tasks WHERE data ->> 'input_ooi' = 'patched'`;
  await queue.patch([{ id: row!['id'] as string, leaseId: null, via: 'rest', priority: 0 }]);
  expect((await queue.pop('boefje', popRequest())).map(ooiOf)).toEqual(['patched']);
  await queue.ranksFairly('boefje');
  await queue.push(
    'boefje',
    [1, 2, 3].map((n) => boefjeTask(`p${n}`, { priority: 1 })),
  );
  await queue.push('boefje', [boefjeTask('q', { organisation: 'other', priority: 1 })]);
  expect((await queue.pop('boefje', popRequest({ limit: 9 }))).map(ooiOf)).toEqual(['p1', 'q', 'p2', 'p3', 'normal']);
});

test('a push costs the same with 50 000 images that clients have named', async () => {
  const use = await under();
  await use.sql.unsafe(
    "INSERT INTO virtual_times (scheduler, image, rank) SELECT 'boefje', 'i' || n, n FROM generate_series(1, 50000) n",
  );
  await use.queue.push('boefje', [boefjeTask('first')]);
  const blocks = await blocksOf(use.sql, statement('push/flows'), [
    'boefje',
    JSON.stringify(flowsOf([{ organisation: 'x', image: 'img', manual: false }]).flows),
    '[]',
  ]);
  expect(blocks.reduce((sum, [, count]) => sum + count, 0)).toBeLessThan(200);
});

test('a ranker that fails keeps no lease from ending', async () => {
  let fails = false;
  const { queue, sql } = await under({
    ranking: {
      ...fairRanking,
      rank: async (...asked: Parameters<typeof fairRanking.rank>) =>
        fails ? { failure: { code: 'BROKEN', message: 'no', retryable: false } } : fairRanking.rank(...asked),
    },
  });
  await queue.push('boefje', [boefjeTask('a'), boefjeTask('b')]);
  const claimed = await queue.pop('boefje', popRequest({ limit: 2 }));
  await queue.patch(claimed.map(({ id, leaseId }) => ({ id, leaseId, via: 'nats', status: 'running' })));
  await sql`UPDATE leases SET until = now() - interval '1 second'`;
  fails = true;
  expect(await queue.sweep()).toBe(2);
  expect((await queue.pop('boefje', popRequest({ limit: 2 }))).map(ooiOf)).toEqual(['a', 'b']);
});
