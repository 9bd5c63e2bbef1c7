import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { claim, claimStatement } from '../../src/queue/pop/claim.ts';
import { LowWaterMark } from '../../src/queue/pop/marks.ts';
import { type Sql, connect, planByKeyAnew, query, statement } from '../../src/postgres/pool.ts';
import { blocksOf, unattendedDatabase } from '../support/blocks.ts';
import { listCases } from '../support/list-statements.ts';
import { type Case, type Task, type Tasks, cases, named } from '../support/queue-statements.ts';
import { whatIfCases } from '../support/what-if-statements.ts';

/** Tasks that are queued: some thousand pages. */
const depth = 20_000;
const boefjes = { scheduler: 'boefje', taskType: 'boefje', firstLeaseMs: 60_000 };

/** Queues tasks up to number `to`; each has a finished twin and a schedule. */
async function fill(sql: Sql, from = 1, to = depth): Promise<void> {
  await sql`
    WITH made AS MATERIALIZED (
      SELECT n, gen_random_uuid() AS id, md5(n::text) AS hash, now() + n * interval '1 microsecond' AS at,
        CASE WHEN n % 1000 = 500 THEN 'rare' ELSE 'o' || n % 50 END AS organisation,
        CASE WHEN n % 1000 = 500 THEN 'rare' WHEN n % 1000 < 4 THEN 'grouped' ELSE 'b' || n % 20 END AS plugin,
        CASE WHEN n % 1000 = 500 THEN 'rare' ELSE 'i' || n % 10 END AS image,
        CASE WHEN n % 1000 < 4 THEN 'g' || n / 1000 END AS deduplication_key
      FROM generate_series(${from}::integer, ${to}::integer) AS n
    ),
    scheduled AS (
      INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, disabled_reason, deadline_at)
      SELECT gen_random_uuid(), 'boefje', organisation, hash,
        jsonb_build_object('input_ooi', 'ooi-' || n, 'boefje', jsonb_build_object('id', plugin)), n % 100 > 0,
        CASE WHEN n % 100 = 0 THEN 'boefje-gone' END, now() + interval '1 day' FROM made
    ),
    stored AS (
      INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
      SELECT id, 'boefje', organisation, 'boefje', hash, n + 10,
        jsonb_build_object('input_ooi', 'ooi-' || n, 'deduplication_key', deduplication_key,
          'boefje', jsonb_build_object('id', plugin, 'oci_image', image)), 'QUEUED'::taskstatus, at, at FROM made
      UNION ALL
      SELECT gen_random_uuid(), 'boefje', organisation, 'boefje', hash, n + 10, jsonb_build_object('input_ooi', 'ooi-' || n),
        CASE WHEN n % 10 = 0 THEN 'FAILED' ELSE 'COMPLETED' END::taskstatus, at - interval '40 days', at - interval '40 days' FROM made
      RETURNING id, status, organisation, created_at
    ),
    failed AS (
      INSERT INTO rare_outcomes (scheduler, status, created_at, task_id, organisation)
      SELECT 'boefje', status, created_at, id, organisation FROM stored WHERE status = 'FAILED'
    )
    INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation, plugin, image, deduplication_key)
    SELECT 'boefje', n + 10, at, id, hash, organisation, plugin, image, deduplication_key FROM made`;
  // What was written is counted, as by the sweeper each second.
  await sql.unsafe(statement('maintenance/fold-counts'), [1]);
}

/** Claims from the beginning of the queue, and finds what the statements name. */
async function begin(sql: Sql): Promise<Tasks> {
  const wants = [
    { units: named, worker: 'w', holder: '_INBOX.w', via: 'nats' as const, leaseMs: -1_000 },
    { units: named, worker: 'w', holder: '_INBOX.w', via: 'rest' as const, leaseMs: 60_000 },
  ];
  await claim({ sql, search: sql }, boefjes, wants, claimStatement(null, 'boefje'));
  const found = await sql<(Task & { unit: string | null; via: string | null })[]>`
    SELECT t.id, t.hash, t.organisation, t.data ->> 'input_ooi' AS ooi, l.lease_id AS lease, l.unit, l.via
    FROM tasks t LEFT JOIN leases l ON l.task_id = t.id
    WHERE t.priority BETWEEN ${depth / 2}::integer AND ${depth / 2 + named - 1}::integer AND t.status = 'QUEUED'
      OR l.task_id IS NOT NULL`;
  const group = found.find(({ unit }) => unit !== null) ?? found.find(({ via }) => via === 'rest')!;
  return {
    queued: found.filter(({ lease }) => lease === null),
    leased: found.filter(({ via }) => via === 'nats').slice(0, named),
    group,
    unit: group.unit ?? randomUUID(),
  };
}

const nothing: Tasks = (() => {
  const task = (): Task => ({ id: randomUUID(), hash: 'h', organisation: 'o', ooi: 'x', lease: randomUUID() });
  const tasks = Array.from({ length: named }, task);
  return { queued: tasks, leased: tasks, group: task(), unit: randomUUID() };
})();

interface Connections {
  readonly sql: Sql;
  readonly url: string;
  /** Connections as the product opens them, that have run each statement; lists plan it again five times. */
  opened(): Promise<(one: Case) => Sql>;
}

async function database(): Promise<Connections> {
  const { sql, url } = await unattendedDatabase();
  return {
    sql,
    url,
    opened: async () => {
      const [queue, others, listing] = [true, false, false].map((byKey) => connect(url, { max: 1, byKey })) as [
        Sql,
        Sql,
        Sql,
      ];
      onTestFinished(async () => void (await Promise.all([queue.end(), others.end(), listing.end()])));
      const settings = JSON.stringify(planByKeyAnew);
      await listing`SELECT set_config(key, value, false) FROM json_each_text(${settings}::text::json)`;
      const connectionOf = ({ byKey }: Case) => (byKey === 'anew' ? listing : byKey ? queue : others);
      for (const one of [...cases, ...listCases, ...whatIfCases]) {
        for (let run = 0; run < (one.byKey === true ? 1 : 6); run += 1) {
          await blocksOf(connectionOf(one), one.text, one.values(nothing));
        }
      }
      return connectionOf;
    },
  };
}

/** Some index descents of three pages for each task; a plan that is wrong reads 20 000 rows, or the 200 pages of an index. */
async function expectFewBlocks(connectionOf: (one: Case) => Sql, tasks: Tasks): Promise<void> {
  const tooMany: unknown[] = [];
  for (const one of [...cases, ...listCases, ...whatIfCases]) {
    const blocks = await blocksOf(connectionOf(one), one.text, one.values(tasks));
    const sum = blocks.reduce((total, [, count]) => total + count, 0);
    if (sum > 60 + 80 * one.rows) tooMany.push([one.name, sum, blocks.slice(0, 4).join(' ')]);
  }
  expect(tooMany).toEqual([]);
}

// Where the table counts as small, several indexes cost the same, and which one is taken moves with its size.
test.each([0, 500])('without statistics, planned with %d tasks queued', async (few) => {
  const { sql, opened } = await database();
  await fill(sql, 1, few);
  const connectionOf = await opened();
  await fill(sql, few + 1);
  await expectFewBlocks(connectionOf, await begin(sql));
});

test('without statistics, planned with all tasks queued', async () => {
  const { sql, opened } = await database();
  await fill(sql);
  const tasks = await begin(sql);
  await expectFewBlocks(await opened(), tasks);
});

test.each([0, 50])('with statistics of a quiet hour, planned with %d tasks queued', async (few) => {
  const { sql, opened } = await database();
  await fill(sql);
  await sql`DELETE FROM queue`;
  await sql`DELETE FROM tasks`;
  await sql`DELETE FROM schedules`;
  await sql`VACUUM ANALYZE`;
  await fill(sql, 1, few);
  const connectionOf = await opened();
  await fill(sql, few + 1);
  await expectFewBlocks(connectionOf, await begin(sql));
});

test('with statistics of full tables', async () => {
  const { sql, opened } = await database();
  await fill(sql);
  await sql`ANALYZE`;
  const connectionOf = await opened();
  await expectFewBlocks(connectionOf, await begin(sql));
});

test('under an old snapshot', async () => {
  const { sql, url, opened } = await database();
  const connectionOf = await opened();
  await fill(sql);
  const forgotten = connect(url, { max: 1 });
  onTestFinished(() => forgotten.end());
  const over = Promise.withResolvers<void>();
  onTestFinished(() => over.resolve());
  await new Promise<void>((resolve) => {
    void forgotten
      .begin('isolation level repeatable read', async (transaction) => {
        await transaction`SELECT 1`;
        resolve();
        await over.promise;
      })
      .catch(() => {});
  });
  const wants = [{ units: 500, worker: 'w', holder: '_INBOX.w', via: 'nats' as const, leaseMs: 60_000 }];
  for (let round = 0; round < 10; round += 1) {
    const claimed = await claim({ sql, search: sql }, boefjes, wants, claimStatement(null, 'boefje'));
    await query(sql, statement('settle/settle-held'), [
      claimed.map(({ id }) => id),
      claimed.map((row) => row.lease_id),
      claimed.map(() => 'COMPLETED'),
      false,
      null,
    ]);
  }
  await new LowWaterMark(sql, 'boefje', () => {}).raise();
  await expectFewBlocks(connectionOf, await begin(sql));
});
