import * as fc from 'fast-check';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import {
  readHeadWaits,
  readQueuedOrganisations,
  readTaskStats,
  readTaskTotals,
  readUnbegun,
  recountWhereEmpty,
} from '../../src/queue/maintenance/counts.ts';
import { statement } from '../../src/postgres/pool.ts';
import { rerank } from '../../src/queue/maintenance/rerank.ts';
import { taskStatuses, type TaskStatus } from '../../src/tasks/task.ts';
import { boefjeTask, popRequest, queueUnderTest, type QueueUnderTest } from '../support/queue.ts';

type Step =
  | { kind: 'push'; organisation: string; count: number }
  | { kind: 'pop'; limit: number }
  | { kind: 'patch'; which: number; status: TaskStatus }
  | { kind: 'by-hand'; which: number; hoursAgo: number; status: TaskStatus }
  | { kind: 'delete'; which: number }
  | { kind: 'rerank'; first: number }
  | { kind: 'fold' };

const organisation = fc.constantFrom('aa', 'bb');
const status = fc.constantFrom(...taskStatuses);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('push' as const), organisation, count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('pop' as const), limit: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('patch' as const), which: fc.nat(), status }),
  fc.record({
    kind: fc.constant('by-hand' as const),
    which: fc.nat(),
    hoursAgo: fc.integer({ min: 0, max: 40 }),
    status,
  }),
  fc.record({ kind: fc.constant('delete' as const), which: fc.nat() }),
  fc.record({ kind: fc.constant('rerank' as const), first: fc.integer({ min: 2, max: 99 }) }),
  fc.record({ kind: fc.constant('fold' as const) }),
);

async function take({ queue, sql }: QueueUnderTest, action: Step): Promise<void> {
  const chosen = async (which: number): Promise<string | null> => {
    const ids = await sql<{ id: string }[]>`SELECT id FROM tasks ORDER BY id`;
    return ids.length === 0 ? null : ids[which % ids.length]!.id;
  };
  switch (action.kind) {
    case 'push': {
      const { organisation: owner, count } = action;
      await queue.push(
        'boefje',
        Array.from({ length: count }, () => boefjeTask(undefined, { organisation: owner })),
      );
      return;
    }
    case 'pop':
      await queue.pop('boefje', popRequest({ limit: action.limit }));
      return;
    case 'patch': {
      const id = await chosen(action.which);
      // Refused patches count too: they change nothing.
      if (id !== null) await queue.patch([{ id, leaseId: null, via: 'rest', status: action.status }]);
      return;
    }
    case 'by-hand': {
      const id = await chosen(action.which);
      await sql`UPDATE tasks SET status = ${action.status.toUpperCase()}::text::taskstatus,
        modified_at = now() - ${action.hoursAgo} * interval '1 hour' WHERE id = ${id}`;
      return;
    }
    case 'delete':
      await sql`DELETE FROM tasks WHERE id = ${await chosen(action.which)}`;
      return;
    case 'rerank': {
      const ranking = {
        policyOf: () => ({ fair: false, manualOnly: false }),
        rank: async (_scheduler: string, tasks: readonly unknown[]) => ({
          ranks: tasks.map((_, at) => action.first + at),
        }),
      };
      await rerank(sql, ranking, 'boefje', () => {});
      return;
    }
    case 'fold':
      await queue.foldCounts();
  }
}

/** What the tasks themselves say: mula's own question. */
async function statsOf({ sql }: QueueUnderTest, owner: string | null): Promise<unknown> {
  const rows = await sql<{ hour: string; status: TaskStatus; n: number }[]>`
    SELECT to_char(date_trunc('hour', modified_at, 'UTC') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"') AS hour,
      lower(status::text) AS status, count(*)::int AS n
    FROM tasks
    WHERE modified_at >= date_trunc('hour', now() - interval '24 hours', 'UTC') AND (${owner}::text IS NULL OR organisation = ${owner})
    GROUP BY 1, 2`;
  const none = Object.fromEntries(taskStatuses.map((name) => [name, 0]));
  return Object.fromEntries(
    [...Map.groupBy(rows, ({ hour }) => hour)].map(([hour, counted]) => [
      hour,
      {
        ...none,
        ...Object.fromEntries(counted.map(({ status: name, n }) => [name, n])),
        total: counted.reduce((sum, { n }) => sum + n, 0),
      },
    ]),
  );
}

async function totalsOf({ sql }: QueueUnderTest): Promise<unknown> {
  const rows = await sql<{ status: TaskStatus; n: number }[]>`
    SELECT lower(status::text) AS status, count(*)::int AS n FROM tasks GROUP BY 1`;
  return Object.fromEntries(rows.map(({ status: name, n }) => [name, n]));
}

/** Queued tasks by organisation, as the tasks and as the roll-up have them. */
async function queuedOf({ sql }: QueueUnderTest): Promise<readonly unknown[]> {
  return sql`SELECT scheduler_id AS scheduler, organisation, count(*)::int AS queued
    FROM tasks WHERE status = 'QUEUED' GROUP BY 1, 2 ORDER BY 2`;
}

async function rolledUp({ sql }: QueueUnderTest): Promise<readonly unknown[]> {
  const rows = await readQueuedOrganisations(sql, ['boefje'], 20);
  return rows.toSorted((a, b) => String(a.organisation).localeCompare(String(b.organisation)));
}

const present = (counts: Readonly<Record<string, number>> | undefined) =>
  Object.fromEntries(Object.entries(counts ?? {}).filter(([, n]) => n !== 0));

test('statistics never drift from the tasks, whatever changes them', { timeout: 120_000 }, async () => {
  const under = await queueUnderTest();
  const { sql, queue } = under;
  const history = fc.array(step, { minLength: 5, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      for (const action of steps) await take(under, action);
      for (const asked of [null, 'aa', 'absent']) {
        const stats = await readTaskStats(sql, asked === null ? {} : { organisations: [asked] });
        expect(JSON.parse(stats)).toEqual(await statsOf(under, asked));
      }
      await queue.foldCounts();
      expect(present((await readTaskTotals(sql, ['boefje'])).get('boefje'))).toEqual(await totalsOf(under));
      expect(await rolledUp(under)).toEqual(await queuedOf(under));
    }),
    { numRuns: 25 },
  );
});

test('counting again while tasks change loses and doubles nothing', async () => {
  const under = await queueUnderTest();
  const { queue, sql, url } = under;
  const client = new Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  const change = async () => {
    for (let round = 0; round < 10; round++) {
      await queue.push('boefje', [boefjeTask(), boefjeTask(), boefjeTask()]);
      await queue.pop('boefje', popRequest({ limit: 2 }));
    }
  };
  for (let round = 0; round < 3; round++) {
    await client.query('DELETE FROM task_totals');
    await client.query('DELETE FROM queued_organisations');
    await Promise.all([change(), recountWhereEmpty(client), change()]);
    await queue.foldCounts();
    expect(present((await readTaskTotals(sql, ['boefje'])).get('boefje'))).toEqual(await totalsOf(under));
    expect(JSON.parse(await readTaskStats(sql, {}))).toEqual(await statsOf(under, null));
    expect(await rolledUp(under)).toEqual(await queuedOf(under));
  }
});

test('the organisations that have most queued are named, the others are one figure, whatever their number', async () => {
  const { queue, sql } = await queueUnderTest();
  const sizes = { aa: 3, bb: 2, cc: 1, dd: 1 };
  for (const [organisation, size] of Object.entries(sizes))
    await queue.push(
      'boefje',
      Array.from({ length: size }, () => boefjeTask(undefined, { organisation })),
    );
  await queue.push('boefje', [boefjeTask(undefined, { organisation: 'gone' })]);
  await sql`UPDATE tasks SET status = 'CANCELLED' WHERE organisation = 'gone'`;
  await queue.foldCounts();
  const named = new Map(
    (await readQueuedOrganisations(sql, ['boefje'], 2)).map(({ organisation, queued }) => [organisation, queued]),
  );
  expect(named).toEqual(
    new Map<string | null, number>([
      ['aa', 3],
      ['bb', 2],
      [null, 2],
    ]),
  );
});

test('the head of a queue is found without reading the queue, and is not one that a pause holds', async () => {
  const { queue, sql } = await queueUnderTest();
  expect(await readHeadWaits(sql, ['boefje'])).toEqual(new Map([['boefje', 0]]));
  await queue.push('boefje', [boefjeTask(undefined, { priority: 1 }), boefjeTask(undefined, { priority: 2 })]);
  await sql`UPDATE queue SET created_at = now() - rank * interval '1 hour', held = rank = 1`;
  const waits = await readHeadWaits(sql, ['boefje']);
  expect(waits.get('boefje')).toBeCloseTo(7_200, -2);

  await sql`
    INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation)
    SELECT 'boefje', 100 + n, now(), gen_random_uuid(), n::text, 'aa' FROM generate_series(1, 5000) AS n`;
  await sql`ANALYZE queue`;
  const rows = await sql.unsafe<{ 'QUERY PLAN': string }[]>(
    `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ${statement('maintenance/queue-heads').replace('$1', `ARRAY['boefje']`)}`,
  );
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toMatch(/Index (?:Only )?Scan using queue_pkey on queue q .*rows=1\b/);
  expect(plan).not.toMatch(/Seq Scan on queue\b/);
});

test('what was popped over REST and is not begun is counted by a range of the leases, not by those that run', async () => {
  const { sql } = await queueUnderTest();
  await sql`
    INSERT INTO leases (task_id, lease_id, scheduler, via, claimed_at, until, begun)
    SELECT gen_random_uuid(), gen_random_uuid(), 'boefje', 'rest', now() - n * interval '1 second',
      now() + interval '1 day', true
    FROM generate_series(1, 5000) AS n`;
  const lease = (scheduler: string, via: string, age: number) => sql`
    INSERT INTO leases (task_id, lease_id, scheduler, via, claimed_at, until)
    VALUES (gen_random_uuid(), gen_random_uuid(), ${scheduler}, ${via}, now() - ${age}::int * interval '1 second',
      now() + (3600 - ${age}::int) * interval '1 second')`;
  for (const age of [890, 910, 3_000]) for (const via of ['rest', 'nats']) await lease('boefje', via, age);
  await lease('report', 'rest', 1_000);
  await sql`ANALYZE leases`;
  expect(await readUnbegun(sql, ['normalizer', 'report', 'boefje'], 3_600)).toEqual(
    new Map([
      ['normalizer', 0],
      ['report', 1],
      ['boefje', 2],
    ]),
  );
  const text = statement('maintenance/unbegun')
    .replaceAll('$1', "ARRAY['boefje']")
    .replaceAll('$2', '900')
    .replaceAll('$3', '3600');
  const rows = await sql.unsafe<{ 'QUERY PLAN': string }[]>(
    `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ${text}`,
  );
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toMatch(/Index Scan using leases_until on leases/);
  expect(plan).not.toMatch(/Seq Scan on leases/);
});
