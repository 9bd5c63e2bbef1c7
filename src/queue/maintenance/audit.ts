import { every, within } from '../../deadline.ts';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { IncidentView } from '../../protocol/operator-status.ts';
import { chance } from '../../time-and-chance.ts';

/** What an operator did. `fields` are facts about it: small, without secrets. */
export interface AuditEntry {
  /** ISO, by the database's clock. */
  readonly at: string;
  readonly by: string | null;
  readonly command: string;
  readonly organisation: string | null;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The code of the error where it was not done. */
  readonly refused: string | null;
}

export interface KeptAuditEntry extends AuditEntry {
  readonly id: string;
}

/** Entries that wait for the database, some 500 bytes each; the log line has those beyond them. */
const mostWaiting = 1_000;
const perStatement = 200;
const everyMs = 250;
const saveWithinMs = 1_000;
const forgetEveryMs = 3_600_000;

/** Of a table of entries: `forget` takes how many it removes at most, and returns those. */
interface KeptStatements {
  readonly write: string;
  readonly read: string;
  readonly forget: string;
}

/**
 * Keeps entries in the database. What is told of never waits for its entry, which follows within a quarter of a second, or once
 * the database is back; a supervisor that is killed loses those that wait, and its log has them.
 */
export class KeptLog<E extends object> {
  readonly #sql: Sql;
  readonly #statements: KeptStatements;
  readonly #onError: (error: unknown) => void;
  readonly #stop = new AbortController();
  readonly #waiting: (E & { readonly id: string })[] = [];
  #saving: Promise<void> | null = null;
  #running: Promise<unknown> | null = null;

  constructor(sql: Sql, statements: KeptStatements, onError: (error: unknown) => void) {
    this.#sql = sql;
    this.#statements = statements;
    this.#onError = onError;
  }

  start(): void {
    this.#running ??= Promise.all([
      every(everyMs, this.#stop.signal, () => this.#save(), this.#onError),
      every(forgetEveryMs, this.#stop.signal, () => this.#forget(), this.#onError),
    ]);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await within(this.#save(), saveWithinMs).catch(this.#onError);
  }

  write(entry: E & { readonly id: string }): void {
    if (this.#waiting.length < mostWaiting) this.#waiting.push(entry);
  }

  /** Newest first; what waits in this process is saved before, so that an operator sees an own action at once. */
  async read(parameters: readonly unknown[]): Promise<readonly (E & { readonly id: string })[]> {
    await within(this.#save(), saveWithinMs).catch(() => {});
    return transact(() => query<E & { readonly id: string }>(this.#sql, this.#statements.read, parameters));
  }

  async #save(): Promise<void> {
    this.#saving ??= this.#saveWaiting().finally(() => (this.#saving = null));
    await this.#saving;
  }

  async #saveWaiting(): Promise<void> {
    // Those that wait now: a caller that acts without end holds up no reader.
    for (let left = this.#waiting.length; left > 0;) {
      const entries = this.#waiting.slice(0, Math.min(perStatement, left));
      await transact(() => query(this.#sql, this.#statements.write, [entries]));
      this.#waiting.splice(0, entries.length);
      left -= entries.length;
    }
  }

  async #forget(): Promise<void> {
    const forget = () => query(this.#sql, this.#statements.forget, [perStatement]);
    while (!this.#stop.signal.aborted && (await transact(forget)).length >= perStatement);
  }
}

const auditStatements: KeptStatements = {
  write: statement('maintenance/audit-write'),
  read: statement('maintenance/audit-read'),
  forget: statement('maintenance/audit-forget'),
};

/** What operators did. */
export class AuditLog {
  readonly #kept: KeptLog<AuditEntry>;

  constructor(sql: Sql, onError: (error: unknown) => void) {
    this.#kept = new KeptLog(sql, auditStatements, onError);
  }

  start(): void {
    this.#kept.start();
  }

  stop(): Promise<void> {
    return this.#kept.stop();
  }

  write(entry: AuditEntry): void {
    this.#kept.write({ id: chance.timeOrderedUuid(), ...entry });
  }

  read(of: {
    readonly before: string | null;
    readonly organisation: string | null;
    readonly limit: number;
  }): Promise<readonly KeptAuditEntry[]> {
    return this.#kept.read([of.before, of.organisation, of.limit]);
  }
}

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
