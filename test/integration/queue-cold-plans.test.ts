import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { claim, claimStatement } from '../../src/queue/claim.ts';
import type { FilterRequest } from '../../src/queue/filter.ts';
import { Floor } from '../../src/queue/floor.ts';
import { queueItem } from '../../src/queue/new-task.ts';
import { type Sql, connect, query, statement } from '../../src/queue/postgres.ts';
import { pushStatement } from '../../src/queue/push-statement.ts';
import { blocksOf, unattendedDatabase } from '../support/blocks.ts';
import { boefjeTask } from '../support/queue.ts';

/** Tasks that are queued: some thousand pages. */
const depth = 20_000;
/** Tasks that a statement names. */
const named = 20;

interface Task {
  readonly id: string;
  readonly hash: string;
  readonly organisation: string;
  readonly ooi: string;
  /** Null while it is queued. */
  readonly lease: string | null;
}

/** Tasks that the statements name: of the middle of the queue, and of what was claimed from its beginning. */
interface Tasks {
  readonly queued: readonly Task[];
  readonly leased: readonly Task[];
  readonly group: Task;
  readonly unit: string;
}

interface Case {
  readonly name: string;
  /** On the queue's connections; else on those of lists and schedules. */
  readonly byKey: boolean;
  readonly text: string;
  readonly values: (tasks: Tasks) => readonly unknown[];
  /** Tasks that it changes. */
  readonly rows: number;
}

function equal(column: string, field: string | null, ...values: readonly string[]): FilterRequest {
  const [only] = values;
  if (values.length === 1) return { filters: [{ column, field, operator: 'eq', value: only! }] };
  return { filters: [{ column, field, operator: 'in', value: [...values] }] };
}

function claiming(name: string, rows: number, filters: FilterRequest | null): Case {
  const { text, values } = claimStatement(filters, 'boefje');
  const each = <T>(value: T) => Array.from({ length: rows }, () => value);
  return {
    name: `claim ${name}`,
    byKey: true,
    text,
    values: () => ['boefje', rows, each('w'), each('rest'), each(60_000), ...values],
    rows,
  };
}

function pushing(name: string, recurrence: object, maxSize: number): Case {
  const items = () =>
    Array.from({ length: named }, (_none, n) => ({
      row: queueItem(boefjeTask(`new-${n}`, recurrence), { type: 'boefje', gracePeriodSeconds: 60, jitterSeconds: 0 }),
      n,
      rank: n + 2,
    }));
  const settings = { scheduler: 'boefje', type: 'boefje', maxSize, answersTasks: true };
  const { text } = pushStatement(items(), settings);
  return {
    name: `push ${name}`,
    byKey: true,
    text,
    values: () => pushStatement(items(), settings).values,
    rows: named,
  };
}

function of(
  name: string,
  values: (tasks: Tasks) => readonly unknown[],
  {
    byKey = true,
    about = '',
    rows = named,
    key = '',
  }: { byKey?: boolean; about?: string; rows?: number; key?: string } = {},
): Case {
  return { name: `${name}${about}`, byKey, text: statement(name).replace('{key}', () => key), values, rows };
}

const ids = (tasks: readonly Task[]) => tasks.map(({ id }) => id);
const hashes = (tasks: readonly Task[]) => tasks.map(({ hash }) => hash);
const leases = (tasks: readonly Task[]) => tasks.map(({ lease }) => lease);
const patched = (tasks: readonly Task[], patch: object) =>
  JSON.stringify(tasks.map(({ id, lease }, n) => ({ n, id, lease_id: lease, ...patch })));
const lists = { byKey: false };

const cases: readonly Case[] = [
  claiming('1', 1, null),
  claiming('20', named, null),
  claiming('a group', 1, equal('data', 'boefje__id', 'grouped')),
  claiming('of an organisation', 1, equal('organisation', null, 'rare')),
  claiming('of an image', 1, equal('data', 'boefje__oci_image', 'rare')),
  claiming('of two images', 1, equal('data', 'boefje__oci_image', 'rare', 'rarer')),
  claiming('of a plug-in', 1, equal('data', 'boefje__id', 'rare')),
  claiming('of an image that nothing has', 1, equal('data', 'boefje__oci_image', 'none')),
  of('raise-floor', () => ['boefje'], { rows: 1 }),
  pushing('without schedules', { recurrence: { kind: 'none' } }, 0),
  pushing('with schedules', {}, 0),
  pushing('into a queue that is full', { recurrence: { kind: 'none' } }, named),
  of('latest-tasks', ({ queued }) => ['boefje', hashes(queued)]),
  of('latest-tasks', ({ queued }) => ['boefje', hashes(queued)], { ...lists, about: ' of the lists' }),
  of('fairness-look', ({ queued }) => ['boefje', hashes(queued), named]),
  of('task-details', ({ queued }) => [ids(queued)], { ...lists, rows: 10 * named }),
  of('read', ({ queued }) => [ids(queued)]),
  of('release', ({ leased }) => [leased[0]!.id], { rows: 1 }),
  of('settle-lock', ({ queued }) => [ids(queued), []], { about: ' what is queued' }),
  of('settle-lock', ({ leased }) => [ids(leased), ids(leased)], { about: ' what is leased' }),
  of('settle', ({ queued }) => [patched(queued, { status: 'CANCELLED' }), 60, true], { about: ' cancelled' }),
  of('settle', ({ queued }) => [patched(queued, { priority: 7 }), 60, true], { about: ' with a priority' }),
  of('settle', ({ leased }) => [patched(leased, { status: 'QUEUED', superseded: true }), 60, true], {
    about: ' put back',
  }),
  of('settle', ({ leased }) => [patched(leased, { status: 'FAILED' }), 60, true], { about: ' failed' }),
  of('settle-followers', ({ group, unit }) => [[group.id], [unit]], { rows: 1 }),
  of('settle-held', ({ leased }) => [ids(leased), leases(leased), leased.map(() => 'COMPLETED'), true]),
  of('heartbeat', ({ leased }) => [ids(leased), leases(leased), 60_000]),
  of('sweep-lock', () => [named]),
  of('sweep-look', ({ leased }) => [ids(leased), 3, 2]),
  of('fold-counts', () => [1], { rows: 51 }),
  of('hold', () => ['boefje', true, named, 'rare'], {
    ...lists,
    about: ' of an organisation',
    key: 'q.organisation = $4',
  }),
  of('hold', () => ['boefje', true, named, 'rare'], { ...lists, about: ' of a plug-in', key: 'q.plugin = $4' }),
  of('hold', () => ['boefje', true, named], { ...lists, about: ' of all', key: 'true' }),
  of('purge-queue', () => ['boefje', 'rare', named], lists),
  of(
    'forget-oois',
    ({ queued }) => ['boefje', queued.map(({ organisation }) => organisation), queued.map(({ ooi }) => ooi)],
    lists,
  ),
  of('retire', () => [1, 60, '-infinity', '00000000-0000-0000-0000-000000000000', named], lists),
  of(
    'rerank',
    ({ queued }) => ['boefje', JSON.stringify(queued.map(({ id, hash }) => ({ id, hash, rank: 5, priority: 5 })))],
    lists,
  ),
  of('claim-due-schedules', () => ['boefje', named, []], lists),
  of('enable-schedules', () => ['boefje', 'rare', ['boefje-gone'], 'rare'], lists),
  of(
    'enable-schedules-of-oois',
    ({ queued }) => ['boefje', 'rare', ['boefje-gone'], null, queued.map(({ ooi }) => ooi)],
    lists,
  ),
  of('schedules-of-boefje', () => ['boefje', 'rare', 'rare', null, named], lists),
  of('delete-schedules', ({ queued }) => [hashes(queued)], lists),
  of('unbegun', () => [['boefje'], 600, 60], { rows: 1 }),
];

async function fill(sql: Sql): Promise<void> {
  await sql`
    WITH made AS MATERIALIZED (
      SELECT n, gen_random_uuid() AS id, md5(n::text) AS hash, now() + n * interval '1 microsecond' AS at,
        CASE WHEN n % 1000 = 500 THEN 'rare' ELSE 'o' || n % 50 END AS organisation,
        CASE WHEN n % 1000 = 500 THEN 'rare' WHEN n % 1000 < 4 THEN 'grouped' ELSE 'b' || n % 20 END AS plugin,
        CASE WHEN n % 1000 = 500 THEN 'rare' ELSE 'i' || n % 10 END AS image,
        CASE WHEN n % 1000 < 4 THEN 'g' || n / 1000 END AS deduplication_key
      FROM generate_series(1, ${depth}::integer) AS n
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
        'COMPLETED'::taskstatus, at - interval '40 days', at - interval '40 days' FROM made
    )
    INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation, plugin, image, deduplication_key)
    SELECT 'boefje', n + 10, at, id, hash, organisation, plugin, image, deduplication_key FROM made`;
  // What was written is counted, as by the sweeper each second.
  await sql.unsafe(statement('fold-counts'), [1]);
}

/** Claims from the beginning of the queue, and finds what the statements name. */
async function begin(sql: Sql): Promise<Tasks> {
  const wants = [
    { units: named, worker: 'w', via: 'nats' as const, leaseMs: -1_000 },
    { units: named, worker: 'w', via: 'rest' as const, leaseMs: 60_000 },
  ];
  await claim(sql, { scheduler: 'boefje', taskType: 'boefje' }, wants, null);
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
  /** Connections as the product opens them, that have run each statement; lists plan it anew five times. */
  opened(): Promise<(one: Case) => Sql>;
}

async function database(): Promise<Connections> {
  const { sql, url } = await unattendedDatabase();
  return {
    sql,
    url,
    opened: async () => {
      const [queue, others] = [true, false].map((byKey) => connect(url, { max: 1, byKey })) as [Sql, Sql];
      onTestFinished(async () => void (await Promise.all([queue.end(), others.end()])));
      const connectionOf = ({ byKey }: Case) => (byKey ? queue : others);
      for (const one of cases) {
        for (let run = 0; run < (one.byKey ? 1 : 6); run += 1) {
          await blocksOf(connectionOf(one), one.text, one.values(nothing));
        }
      }
      return connectionOf;
    },
  };
}

async function measured(connectionOf: (one: Case) => Sql, tasks: Tasks): Promise<void> {
  const told: unknown[] = [];
  for (const one of cases) {
    const blocks = await blocksOf(connectionOf(one), one.text, one.values(tasks));
    const sum = blocks.reduce((total, [, count]) => total + count, 0);
    if (sum > 60 + 80 * one.rows || process.env['ALL'] === '1')
      told.push([one.name, sum, one.rows, blocks.slice(0, 4).join(' ')]);
  }
  expect(told).toEqual([]);
}

test('planned while the tables were empty, without statistics', async () => {
  const { sql, opened } = await database();
  const connectionOf = await opened();
  await fill(sql);
  await measured(connectionOf, await begin(sql));
});

test('planned for full tables, without statistics', async () => {
  const { sql, opened } = await database();
  await fill(sql);
  const tasks = await begin(sql);
  await measured(await opened(), tasks);
});

test('with statistics of a quiet hour', async () => {
  const { sql, opened } = await database();
  await fill(sql);
  await sql`DELETE FROM queue`;
  await sql`DELETE FROM tasks`;
  await sql`DELETE FROM schedules`;
  await sql`VACUUM ANALYZE`;
  const connectionOf = await opened();
  await fill(sql);
  await measured(connectionOf, await begin(sql));
});

test('with statistics of full tables', async () => {
  const { sql, opened } = await database();
  await fill(sql);
  await sql`ANALYZE`;
  const connectionOf = await opened();
  await measured(connectionOf, await begin(sql));
});

test('under an old snapshot', async () => {
  const { sql, url, opened } = await database();
  const connectionOf = await opened();
  await fill(sql);
  const forgotten = connect(url, { max: 1 });
  onTestFinished(async () => void (await forgotten.end()));
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
  const wants = [{ units: 500, worker: 'w', via: 'nats' as const, leaseMs: 60_000 }];
  for (let round = 0; round < 10; round += 1) {
    const claimed = await claim(sql, { scheduler: 'boefje', taskType: 'boefje' }, wants, null);
    await query(sql, statement('settle-held'), [
      claimed.map(({ id }) => id),
      claimed.map((row) => row.lease_id),
      claimed.map(() => 'COMPLETED'),
      false,
    ]);
  }
  await new Floor(sql, 'boefje').raise();
  await measured(connectionOf, await begin(sql));
});
