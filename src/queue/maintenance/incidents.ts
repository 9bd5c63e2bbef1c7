import { every, within } from '../../deadline.ts';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { IncidentView } from '../../protocol/operator-status.ts';
import { KeptLog } from './audit.ts';

interface IncidentLogOptions {
  readonly sql: Sql;
  readonly instance: string;
  /** A supervisor was not seen for a minute, and did not end in order. `seenAt`: ISO */
  onVanished(instance: string, seenAt: string): void;
  onError(error: unknown): void;
}

const seenEveryMs = 10_000;
const endWithinMs = 1_000;

/** Keeps incidents in the database, as KeptLog does, and there too that this supervisor runs. */
export class IncidentLog {
  readonly #options: IncidentLogOptions;
  readonly #kept: KeptLog<Omit<IncidentView, 'id'>>;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: IncidentLogOptions) {
    this.#options = options;
    this.#kept = new KeptLog(
      options.sql,
      {
        write: statement('maintenance/incidents-write'),
        read: statement('maintenance/incidents-read'),
        forget: statement('maintenance/incidents-forget'),
      },
      options.onError,
    );
  }

  start(): void {
    this.#kept.start();
    this.#running ??= every(seenEveryMs, this.#stop.signal, () => this.#isSeen(), this.#options.onError);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.#running !== null) {
      await this.#running;
      const { sql, instance, onError } = this.#options;
      const ended = transact(() => query(sql, statement('maintenance/instance-ended'), [instance]));
      await within(ended, endWithinMs).catch(onError);
    }
    await this.#kept.stop();
  }

  write(incident: IncidentView): void {
    this.#kept.write(incident);
  }

  /** Newest first. */
  read({
    before,
    limit,
  }: {
    readonly before: string | null;
    readonly limit: number;
  }): Promise<readonly IncidentView[]> {
    return this.#kept.read([before, limit]);
  }

  async #isSeen(): Promise<void> {
    const { sql, instance, onVanished } = this.#options;
    const vanished = await transact(() =>
      query<{ instance: string; seen_at: string }>(sql, statement('maintenance/instance-seen'), [instance]),
    );
    for (const gone of vanished) onVanished(gone.instance, gone.seen_at);
  }
}
