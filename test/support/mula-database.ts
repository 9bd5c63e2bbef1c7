import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { onTestFinished } from 'vitest';
import { createDatabase } from './database.ts';

/** A database as mula leaves it at alembic revision 0010; gone with the test. */
export async function mulaDatabase(): Promise<{ url: string; client: Client; mula: Mula }> {
  const database = await createDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(await readFile(new URL('../../sql/migrations/0001_mula.sql', import.meta.url), 'utf8'));
  onTestFinished(async () => {
    await client.end();
    await database.drop();
  });
  return { url: database.url, client, mula: new Mula(client) };
}

/** A row of `tasks`, whose keys are those on the wire; timestamps with microseconds and `Z`. */
export interface MulaTask {
  readonly id: string;
  readonly scheduler_id: string;
  readonly schedule_id: string | null;
  readonly organisation: string;
  readonly type: string;
  readonly hash: string;
  readonly priority: number;
  readonly data: Readonly<Record<string, unknown>>;
  /** Upper case in the database. */
  readonly status: string;
  readonly created_at: string;
  readonly modified_at: string;
}

export interface MulaSchedule {
  readonly id: string;
  readonly scheduler_id: string;
  readonly organisation: string;
  readonly hash: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly enabled: boolean;
  readonly schedule: string | null;
  readonly deadline_at: string | null;
  readonly created_at: string;
  readonly modified_at: string;
}

const taskColumns = [
  'id',
  'scheduler_id',
  'schedule_id',
  'organisation',
  'type',
  'hash',
  'priority',
  'data',
  'status',
  'created_at',
  'modified_at',
] as const;
const scheduleColumns = [
  'id',
  'scheduler_id',
  'organisation',
  'hash',
  'data',
  'enabled',
  'schedule',
  'deadline_at',
  'created_at',
  'modified_at',
] as const;

/** mula's query: its ORM names every column, never `*`. */
export class Mula {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async createTask(task: MulaTask): Promise<void> {
    await this.#insert('tasks', taskColumns, { ...task, status: task.status.toUpperCase() });
  }

  async createSchedule(schedule: MulaSchedule): Promise<void> {
    await this.#insert('schedules', scheduleColumns, { ...schedule });
  }

  /** The head of a queue as mula reads it, counted first, and then dispatched in a second transaction. */
  async pop(scheduler: string, limit: number): Promise<readonly string[]> {
    const where = "FROM tasks WHERE tasks.status = 'QUEUED' AND tasks.scheduler_id = $1";
    await this.#client.query(
      `SELECT count(*) AS count_1 FROM (SELECT ${named('tasks', taskColumns)} ${where}) AS anon_1`,
      [scheduler],
    );
    const { rows } = await this.#client.query<{ tasks_id: string }>(
      `SELECT ${named('tasks', taskColumns)} ${where} ORDER BY tasks.priority ASC, tasks.created_at ASC LIMIT $2 OFFSET 0`,
      [scheduler, limit],
    );
    const ids = rows.map((row) => row.tasks_id);
    await this.#client.query(
      "UPDATE tasks SET status = 'DISPATCHED' WHERE tasks.scheduler_id = $1 AND tasks.id = ANY ($2::uuid[])",
      [scheduler, ids],
    );
    return ids;
  }

  /** A patch writes the whole row again, `modified_at` as it was. */
  async setStatus(id: string, status: string): Promise<void> {
    const { rows } = await this.#client.query<Record<string, unknown>>(
      `SELECT ${named('tasks', taskColumns)} FROM tasks WHERE tasks.id = $1 LIMIT 1`,
      [id],
    );
    const values = taskColumns.map((column) =>
      column === 'status' ? status.toUpperCase() : rows[0]![`tasks_${column}`],
    );
    const set = taskColumns.map((column, n) => `${column} = $${n + 1}`).join(', ');
    await this.#client.query(`UPDATE tasks SET ${set} WHERE tasks.id = $${values.length + 1}`, [...values, id]);
  }

  async latestByHash(hash: string): Promise<string | null> {
    const { rows } = await this.#client.query<{ tasks_id: string }>(
      `SELECT ${named('tasks', taskColumns)} FROM tasks WHERE tasks.hash = $1 ORDER BY tasks.created_at DESC LIMIT 1`,
      [hash],
    );
    return rows[0]?.tasks_id ?? null;
  }

  async dueSchedules(): Promise<readonly string[]> {
    const { rows } = await this.#client.query<{ schedules_id: string }>(
      `SELECT ${named('schedules', scheduleColumns)} FROM schedules
       WHERE schedules.enabled = true AND schedules.deadline_at <= now() ORDER BY schedules.created_at DESC LIMIT 100`,
    );
    return rows.map((row) => row.schedules_id);
  }

  async enableSchedule(id: string, enabled: boolean): Promise<void> {
    await this.#client.query('UPDATE schedules SET enabled = $1 WHERE schedules.id = $2', [enabled, id]);
  }

  async deleteSchedule(id: string): Promise<void> {
    await this.#client.query('DELETE FROM schedules WHERE schedules.id = $1', [id]);
  }

  async #insert(table: string, columns: readonly string[], row: Readonly<Record<string, unknown>>): Promise<void> {
    const marks = columns.map((_column, n) => `$${n + 1}`).join(', ');
    await this.#client.query(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${marks})`,
      columns.map((column) => row[column]),
    );
  }
}

const named = (table: string, columns: readonly string[]) =>
  columns.map((column) => `${table}.${column} AS ${table}_${column}`).join(', ');

/** A task of mula's, a boefje's by default. */
export function mulaTask(task: Partial<MulaTask> = {}): MulaTask {
  const id = task.id ?? randomUUID();
  const organisation = task.organisation ?? 'aa';
  return {
    id,
    scheduler_id: 'boefje',
    schedule_id: null,
    organisation,
    type: 'boefje',
    hash: randomUUID().replaceAll('-', ''),
    priority: 1_748_336_415,
    data: boefjeData({ id, organization: organisation }),
    status: 'queued',
    created_at: '2026-01-01T09:00:15.129953Z',
    modified_at: '2026-01-01T09:00:16.516836Z',
    ...task,
  };
}

/** kat-contract §1: what mula stores, keys in its order. */
export function boefjeData(data: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return {
    boefje: {
      id: 'dns-records',
      name: 'DNS records',
      version: null,
      oci_image: 'ghcr.io/minvws/openkat/generic:latest',
    },
    input_ooi: `Hostname|internet|${randomUUID()}`,
    organization: 'aa',
    deduplication_key: null,
    dispatches: [],
    ...data,
  };
}

export function mulaSchedule(schedule: Partial<MulaSchedule> = {}): MulaSchedule {
  return {
    id: randomUUID(),
    scheduler_id: 'boefje',
    organisation: 'aa',
    hash: randomUUID().replaceAll('-', ''),
    data: boefjeData({ id: randomUUID() }),
    enabled: true,
    schedule: null,
    deadline_at: '2026-01-02T09:00:15.129953Z',
    created_at: '2026-01-01T09:00:15.129953Z',
    modified_at: '2026-01-01T09:00:16.516836Z',
    ...schedule,
  };
}
