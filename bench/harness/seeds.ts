import { availableParallelism } from 'node:os';
import { Client } from 'pg';
import { recountWhereEmpty } from '../../src/queue/maintenance/counts.ts';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { connect, type Sql } from '../../src/postgres/pool.ts';

/** What a database server does for the seeds. */
interface Databases {
  /** An empty database of that name, recreated where it exists. @returns its URL */
  create(name: string): Promise<string>;
  /** The same with the content of another one, which must have no connections. */
  copy(name: string, from: string): Promise<string>;
  url(name: string): string;
}

/** A database of more tasks than this is not copied (14 GB and a minute per ten million) but handed out itself. */
const mostCopied = 2_000_000;

/** Databases full of tasks, each filled once in a run however many suites ask for it. */
export class Seeds {
  readonly #databases: Databases;
  readonly #say: (text: string) => void;
  readonly #filled = new Map<string, Promise<string>>();

  constructor(databases: Databases, say: (text: string) => void) {
    this.#databases = databases;
    this.#say = say;
  }

  /** A database filled so. Large ones are shared: a later suite finds what the others left. @returns its URL */
  async take(name: string, filling: Filling): Promise<string> {
    const seed = await this.prepare(filling);
    return isShared(filling) ? this.#databases.url(seed) : this.#databases.copy(name, seed);
  }

  /** Begins or continues the filling. Called early, it saves the suite the wait. */
  prepare(filling: Filling): Promise<string> {
    const name = `seed_${filling.queued}_${filling.finished}`;
    const known = this.#filled.get(name);
    if (known !== undefined) return known;
    const filled = this.#fill(name, filling);
    // take() reports the failure.
    filled.catch(() => {});
    this.#filled.set(name, filled);
    return filled;
  }

  async #fill(name: string, filling: Filling): Promise<string> {
    const began = performance.now();
    await fill(await this.#databases.create(name), filling);
    const tasks = (filling.queued + filling.finished).toLocaleString('en');
    this.#say(`  (${tasks} tasks seeded in ${Math.round((performance.now() - began) / 1_000)} s)`);
    return name;
  }
}

function isShared({ queued, finished }: Filling): boolean {
  return queued + finished > mostCopied;
}

/** What a database is filled with. */
export interface Filling {
  /** Tasks in the boefje queue, two days old: more urgent ones were pushed and are over since. */
  readonly queued: number;
  /** Tasks of the last day that are over. */
  readonly finished: number;
}

/** The deepest queue that is measured, and the largest table that Rocky's pages read: filled once for both. */
export const tenMillion: Filling = { queued: 10_000_000, finished: 1_000_000 };

/** Statements at once: more only wait for each other to lengthen the tables. */
const connections = Math.min(4, availableParallelism());
const firstRank = 1_700_000_000;

/**
 * Fills an empty database as fast as Postgres takes it: without secondary indexes and triggers, which are put back
 * afterwards. The result is what a supervisor would have made of it.
 */
export async function fill(databaseUrl: string, { queued, finished }: Filling): Promise<void> {
  await migrate(databaseUrl);
  // On a slow machine an index of two million rows takes longer than any statement of Rota may.
  const sql = connect(databaseUrl, { max: connections, statementMs: 1_800_000 });
  try {
    await sql`ALTER TABLE tasks DISABLE TRIGGER USER, SET (autovacuum_enabled = false)`;
    await sql`ALTER TABLE queue DISABLE TRIGGER USER, SET (autovacuum_enabled = false)`;
    const dropped = await dropIndexes(sql);
    await Promise.all([
      ...partsOf(queued).map(({ rows, from }) =>
        addQueued(sql, { rows, rank: firstRank + Math.floor(from / 100), daysOld: 2 }),
      ),
      ...partsOf(finished).map(({ rows, from }) => addFinished(sql, rows, from, finished)),
    ]);
    await Promise.all(dropped.map((definition) => restore(sql, definition)));
    await sql`ALTER TABLE tasks ENABLE TRIGGER USER, RESET (autovacuum_enabled)`;
    await sql`ALTER TABLE queue ENABLE TRIGGER USER, RESET (autovacuum_enabled)`;
    await settle(databaseUrl);
  } finally {
    await sql.end();
  }
}

function partsOf(rows: number): { rows: number; from: number }[] {
  return Array.from({ length: Math.ceil(rows / chunk) }, (_, part) => ({
    rows: Math.min(chunk, rows - part * chunk),
    from: part * chunk,
  }));
}

/** @returns what makes them again */
async function dropIndexes(sql: Sql): Promise<readonly string[]> {
  const found = await sql<{ name: string; definition: string }[]>`
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
    WHERE indrelid IN ('tasks'::regclass, 'queue'::regclass) AND NOT indisprimary`;
  for (const { name } of found) await sql`DROP INDEX ${sql(name)}`;
  return found.map(({ definition }) => definition);
}

async function restore(sql: Sql, definition: string): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`SET LOCAL maintenance_work_mem = '512MB'`;
    await transaction.unsafe(definition);
  });
}

/** The triggers that count were off; and nothing of the filling (unwritten pages, absent statistics) may be left. */
async function settle(databaseUrl: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    // The migration has counted none.
    await client.query('DELETE FROM task_totals');
    await recountWhereEmpty(client);
    await client.query('VACUUM ANALYZE');
    await client.query('CHECKPOINT');
  } finally {
    await client.end();
  }
}

/** What a seeded KAT looks like: 300 organisations, the 46 boefjes that ship, in 14 images. */
const organisations = 300;
const boefjes = 46;
const images = 14;
/** Rows of one statement: the statistics' trigger keeps an array of them. */
const chunk = 20_000;

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

interface QueuedTasks {
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
async function addFinished(sql: Sql, rows: number, from: number, all: number): Promise<void> {
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

/** Seeding is not measured, and what a crash loses is seeded again. */
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
