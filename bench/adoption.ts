import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { startPostgres } from '../src/embedded/postgres.ts';
import { migrate } from '../src/queue/schema/migrations.ts';

/**
 * Adopts a database of mula while three clients read and write its tasks, and reports their longest wait.
 * `node bench/adoption.ts --tasks 1000000`: the last line is JSON.
 */
const { values } = parseArgs({ options: { tasks: { type: 'string', default: '1000000' } } });
const tasks = Number(values.tasks);
const quietMs = 5_000;

/** One in ten is queued, one in a hundred is under way or has failed; half a kilobyte of data each, as in KAT. */
const fill = `
INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, schedule, deadline_at)
SELECT gen_random_uuid(), 'boefje', 'org-' || n % 50, md5('schedule ' || n), jsonb_build_object('input_ooi', 'Hostname|internet|' || n,
    'organization', 'org-' || n % 50, 'boefje', jsonb_build_object('id', 'boefje-' || n % 40)),
  n % 20 <> 0, CASE WHEN n % 10 = 0 THEN '0 0 * * *' END, now() + n * interval '1 second'
FROM generate_series(1, $1::int / 10) AS n;
INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
SELECT gen_random_uuid(), 'boefje', 'org-' || n % 50, 'boefje', md5(n::text), n,
  jsonb_build_object('id', gen_random_uuid(), 'input_ooi', 'Hostname|internet|host-' || n || '.example.org',
    'organization', 'org-' || n % 50, 'deduplication_key', null, 'dispatches', '[]'::jsonb,
    'boefje', jsonb_build_object('id', 'boefje-' || n % 40, 'name', repeat('name ', 40), 'version', null,
      'oci_image', 'ghcr.io/minvws/openkat/generic:latest')),
  (CASE WHEN n % 10 = 0 THEN 'QUEUED' WHEN n % 100 = 1 THEN 'RUNNING' WHEN n % 100 = 2 THEN 'FAILED' ELSE 'COMPLETED' END)::taskstatus,
  now() - ($1::int - n) * interval '100 milliseconds', now() - ($1::int - n) * interval '100 milliseconds'
FROM generate_series(1, $1::int) AS n;
ANALYZE`;

/** A statement again and again, and the longest that one of them took. */
class Poller {
  readonly #client: Client;
  readonly #statement: string;
  readonly #ids: readonly string[];
  #durations: number[] = [];
  #polling: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(client: Client, statement: string, ids: readonly string[]) {
    this.#client = client;
    this.#statement = statement;
    this.#ids = ids;
  }

  start(): void {
    this.#polling = this.#poll();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#polling;
    await this.#client.end();
  }

  /** Milliseconds since the last time it was asked. */
  take(): { count: number; p99: number; longest: number } {
    const sorted = this.#durations.toSorted((a, b) => a - b);
    this.#durations = [];
    const at = (share: number) => Math.round(10 * (sorted[Math.ceil(sorted.length * share) - 1] ?? 0)) / 10;
    return { count: sorted.length, p99: at(0.99), longest: at(1) };
  }

  async #poll(): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const began = performance.now();
      await this.#client.query(this.#statement, [this.#ids[n % this.#ids.length]]);
      this.#durations.push(performance.now() - began);
      await delay(2);
    }
  }
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return client;
}

async function sizeOf(url: string): Promise<number> {
  const client = await connect(url);
  const { rows } = await client.query<{ megabytes: number }>(
    'SELECT (pg_database_size(current_database()) / 1000000)::int AS megabytes',
  );
  await client.end();
  return rows[0]!.megabytes;
}

async function measure(url: string): Promise<void> {
  const client = await connect(url);
  await client.query(await readFile(new URL('../sql/migrations/0001_mula.sql', import.meta.url), 'utf8'));
  for (const statement of fill.replaceAll('$1::int', String(tasks)).split(';\n')) await client.query(statement);
  const { rows } = await client.query<{ id: string }>(
    "SELECT id FROM tasks TABLESAMPLE SYSTEM (1) WHERE status = 'COMPLETED' LIMIT 5000",
  );
  const ids = rows.map(({ id }) => id);
  await client.end();

  const pollers = {
    read: new Poller(await connect(url), 'SELECT * FROM tasks WHERE id = $1', ids),
    // As mula writes: a status, without modified_at.
    update: new Poller(await connect(url), "UPDATE tasks SET status = 'COMPLETED' WHERE id = $1", ids),
    insert: new Poller(
      await connect(url),
      `INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status)
       SELECT gen_random_uuid(), scheduler_id, organisation, type, md5(random()::text), priority, data, 'COMPLETED' FROM tasks WHERE id = $1`,
      ids,
    ),
  };
  const take = () => Object.fromEntries(Object.entries(pollers).map(([name, poller]) => [name, poller.take()]));
  for (const poller of Object.values(pollers)) poller.start();
  await delay(quietMs);
  const before = take();
  const sizeBefore = await sizeOf(url);
  const steps: { step: string; seconds: number }[] = [];
  const began = performance.now();
  let last = began;
  const report = (step: string) => {
    const now = performance.now();
    steps.push({ step, seconds: Math.round((now - last) / 10) / 100 });
    last = now;
  };
  await migrate(url, { report });
  report('the rest');
  const seconds = Math.round((performance.now() - began) / 10) / 100;
  const during = take();
  for (const poller of Object.values(pollers)) await poller.stop();
  for (const { step, seconds: took } of steps) process.stdout.write(`${took.toFixed(2).padStart(8)} s  ${step}\n`);
  process.stdout.write(
    `${JSON.stringify({ tasks, seconds, before, during, megabytes: { before: sizeBefore, after: await sizeOf(url) } })}\n`,
  );
}

const directory = await mkdtemp(join(tmpdir(), 'rota-adoption-'));
const postgres = await startPostgres({ directory });
try {
  await measure(postgres.url);
} finally {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
