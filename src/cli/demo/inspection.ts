import { Client } from 'pg';
import type { Expected } from '../../simulator/events.ts';
import type { Ledger } from '../../simulator/measures.ts';

export interface TaskCounts {
  readonly queued: number;
  readonly dispatched: number;
  readonly completed: number;
  readonly failed: number;
}

export interface Inspection {
  readonly tasks: Readonly<Record<string, TaskCounts>>;
  /** Seconds from the first task's creation to the last one's end. */
  readonly seconds: number;
  /** Tasks in the database that are neither queued, leased nor finished. */
  readonly adrift: number;
  /** Tasks that events and people asked for, and that the database lacks. */
  readonly missing: readonly Expected[];
  /** Tasks whose state in the database contradicts what a worker was answered. */
  readonly contradicted: readonly string[];
}

/** Reads the database directly: the demo does not trust the supervisor's own account. */
export class Inspector {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  static async open(url: string): Promise<Inspector> {
    const client = new Client({ connectionString: url });
    // A lost connection shows in the next query.
    client.on('error', () => {});
    await client.connect();
    return new Inspector(client);
  }

  /** Cheap at any size: both tables are narrow and hold only unfinished tasks. */
  async unfinished(): Promise<{ queued: number; leased: number }> {
    const { rows } = await this.#client.query<{ queued: string; leased: string }>(
      'SELECT (SELECT count(*) FROM queue) AS queued, (SELECT count(*) FROM leases) AS leased',
    );
    return { queued: Number(rows[0]!.queued), leased: Number(rows[0]!.leased) };
  }

  async missing(expected: ReadonlyMap<string, Expected>): Promise<readonly Expected[]> {
    const { rows } = await this.#client.query<{ hash: string }>(
      'SELECT hash FROM unnest($1::varchar[]) AS hash WHERE NOT EXISTS (SELECT FROM tasks WHERE tasks.hash = hash.hash)',
      [[...expected.keys()]],
    );
    return rows.map(({ hash }) => expected.get(hash)!);
  }

  async inspect(expected: ReadonlyMap<string, Expected>, ledger: Ledger): Promise<Inspection> {
    const { rows: counts } = await this.#client.query<{ scheduler_id: string } & Record<keyof TaskCounts, number>>(`
      SELECT scheduler_id, count(*)::int AS queued, (count(*) FILTER (WHERE attempts > 0))::int AS dispatched,
             (count(*) FILTER (WHERE status = 'COMPLETED'))::int AS completed,
             (count(*) FILTER (WHERE status = 'FAILED'))::int AS failed
      FROM tasks GROUP BY scheduler_id`);
    const { rows: spans } = await this.#client.query<{ seconds: number | null; adrift: number }>(`
      SELECT extract(epoch FROM max(modified_at) FILTER (WHERE status IN ('COMPLETED', 'FAILED', 'CANCELLED'))
                                - min(created_at))::float AS seconds,
             (count(*) FILTER (WHERE NOT CASE
               WHEN status = 'QUEUED' THEN EXISTS (SELECT FROM queue WHERE queue.id = tasks.id)
               WHEN status IN ('DISPATCHED', 'RUNNING') THEN EXISTS (SELECT FROM leases WHERE task_id = tasks.id)
               ELSE status IN ('COMPLETED', 'FAILED', 'CANCELLED') END))::int AS adrift
      FROM tasks`);
    return {
      tasks: Object.fromEntries(counts.map(({ scheduler_id, ...count }) => [scheduler_id, count])),
      seconds: spans[0]?.seconds ?? 0,
      adrift: spans[0]?.adrift ?? 0,
      missing: await this.missing(expected),
      contradicted: await this.#contradicted(ledger),
    };
  }

  async #contradicted(ledger: Ledger): Promise<string[]> {
    const confirmed = ledger.confirmed();
    const held = [...ledger.tasks()];
    const ends = held.map((task) => confirmed.get(task)?.toUpperCase() ?? null);
    const { rows } = await this.#client.query<{ id: string }>(
      `SELECT seen.id FROM unnest($1::uuid[], $2::text[]) AS seen (id, outcome) LEFT JOIN tasks USING (id)
       WHERE tasks.id IS NULL OR (seen.outcome IS NOT NULL AND tasks.status::text <> seen.outcome)`,
      [held, ends],
    );
    return rows.map(({ id }) => id);
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}
