import type { Sql } from '../../src/postgres/pool.ts';

/** What a seeded KAT looks like: 300 organisations, the 46 boefjes that ship, in 14 images. */
export const organisations = 300;
const boefjes = 46;
const images = 14;
/** Rows of one statement: the statistics' trigger keeps an array of them. */
export const chunk = 20_000;

/** Fills the boefje queue to `depth` with tasks that come last. Ranks are epoch seconds, a hundred tasks in each. */
export async function queueUpTo(sql: Sql, depth: number): Promise<void> {
  const [found] = await sql<{ queued: number; last: string }[]>`
    SELECT count(*)::integer AS queued, coalesce(max(rank), extract(epoch FROM now())::bigint)::text AS last
    FROM queue WHERE scheduler = 'boefje'`;
  const missing = Math.round(depth - found!.queued);
  for (let done = 0; done < missing; done += chunk) {
    const rows = Math.min(chunk, missing - done);
    await addQueued(sql, { rows, rank: Number(found!.last) + Math.floor(done / 100) });
  }
}

export interface QueuedTasks {
  readonly rows: number;
  /** Of the first hundred; the next hundred has the next one. */
  readonly rank: number;
  /** Where all are of one. */
  readonly organisation?: string;
  readonly daysOld?: number;
}

export async function addQueued(sql: Sql, tasks: QueuedTasks): Promise<void> {
  const { rows, rank, organisation, daysOld = 0 } = tasks;
  await unlogged(
    sql,
    (transaction) => transaction`
      WITH made AS MATERIALIZED (
        SELECT *, now() - ${daysOld} * interval '1 day' + n * interval '1 microsecond' AS at
        FROM (${made(transaction, rows, organisation)}) AS ones
      ),
      stored AS (
        INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
        SELECT id, 'boefje', organisation, 'boefje', hash, ${rank}::bigint + n / 100, ${data(transaction)},
          'QUEUED', at, at
        FROM made
      )
      INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation, plugin, image)
      SELECT 'boefje', ${rank}::bigint + n / 100, at, id, hash, organisation,
        'boefje-' || plugin, 'ghcr.io/minvws/openkat/image-' || image
      FROM made`,
  );
}

/**
 * Tasks that are over, as most of a KAT's are: one in a hundred failed. Together with the other parts (`from` of `all`) the
 * last day's work.
 */
export async function addFinished(sql: Sql, rows: number, from: number, all: number): Promise<void> {
  await unlogged(
    sql,
    (transaction) => transaction`
      WITH made AS MATERIALIZED (${made(transaction, rows)}),
      stored AS (
        INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
        SELECT id, 'boefje', organisation, 'boefje', hash, 1700000000, ${data(transaction)},
          (CASE WHEN n % 100 = 0 THEN 'FAILED' ELSE 'COMPLETED' END)::taskstatus, at, at
        FROM (SELECT *, now() - (${from} + n) * 86400.0 / ${all} * interval '1 second' AS at FROM made) AS timed
        RETURNING id, organisation, status, created_at
      )
      INSERT INTO rare_outcomes (scheduler, status, created_at, task_id, organisation)
      SELECT 'boefje', status, created_at, id, organisation FROM stored WHERE status = 'FAILED'`,
  );
}

/** Seeding is not measured, and nobody misses what a crash would take. */
async function unlogged(sql: Sql, insert: (transaction: Sql) => PromiseLike<unknown>): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`SET LOCAL synchronous_commit = off`;
    await insert(transaction as unknown as Sql);
  });
}

/** Ids in the order of time, as pushes make them. */
const made = (sql: Sql, rows: number, organisation: string | null = null) => sql`
  SELECT n, id, md5(id::text) AS hash,
    coalesce(${organisation}::text, 'org-' || (random() * ${organisations - 1})::integer) AS organisation,
    (random() * ${boefjes - 1})::integer AS plugin, (random() * ${images - 1})::integer AS image
  FROM (SELECT n, uuidv7() AS id FROM generate_series(0, ${rows - 1}::integer) AS n) AS numbered`;

const data = (sql: Sql) => sql`
  jsonb_build_object(
    'id', id, 'input_ooi', 'Hostname|internet|host-' || n || '.' || organisation || '.example',
    'organization', organisation, 'deduplication_key', null, 'dispatches', '[]'::jsonb,
    'boefje', jsonb_build_object('id', 'boefje-' || plugin, 'name', 'Boefje number ' || plugin, 'version', null,
      'oci_image', 'ghcr.io/minvws/openkat/image-' || image))`;
