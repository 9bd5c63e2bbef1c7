import { every } from '../../deadline.ts';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import { fairCost } from '../../tasks/task.ts';
import { time } from '../../time-and-chance.ts';

/** What a pause holds: all tasks of a scheduler, or those of an organisation, of a plug-in, or of both. */
export interface PauseKey {
  readonly scheduler: string;
  readonly organisation: string | null;
  readonly plugin: string | null;
}

export interface Pause extends PauseKey {
  readonly id: string;
  readonly pausedBy: string | null;
  /** Why. */
  readonly note: string | null;
  /** ISO timestamp. */
  readonly since: string;
}

/** `complete`: every row is moved; otherwise the keepers of all supervisors go on. */
interface Moved {
  readonly moved: number;
  readonly complete: boolean;
}

interface PausesOptions {
  readonly sql: Sql;
  /** Whether the ranks of a scheduler are virtual times; those of this supervisor are stored when it resolves. */
  ranksFairly(scheduler: string): Promise<boolean>;
  /** Called with the number of tasks of a scheduler that may be popped again. */
  onResumed(scheduler: string, count: number): void;
  onError(error: unknown): void;
}

/** Rows of one statement: some 10 ms during which claims step over them. */
const perBatch = 1_000;
/** How long a request moves rows itself before it is answered; the keeper leaves them to it meanwhile (pauses.sql). */
const moveWithinMs = 5_000;
const everyMs = 2_000;

/**
 * Pauses are kept in the database, so they are the same for every supervisor. A paused task costs a claim nothing: its queue row
 * leaves the claim's index range (`held`), in batches, and pushes insert held rows by themselves. The keeper's next round
 * moves the rows of a push that began before the pause.
 */
export class Pauses {
  readonly #options: PausesOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: PausesOptions) {
    this.#options = options;
  }

  start(): void {
    const { onError } = this.#options;
    this.#running ??= every(everyMs, this.#stop.signal, () => this.keep(), onError);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async list(): Promise<readonly Pause[]> {
    return await this.#read(false);
  }

  /** Whether anything of an organisation was ever seen here. */
  async knows(organisation: string): Promise<boolean> {
    const read = () =>
      query<{ known: boolean }>(this.#options.sql, statement('maintenance/knows-organisation'), [organisation]);
    return (await transact(read))[0]!.known;
  }

  /** Paused already: the pause that is there, with this note if there is one. */
  async pause(key: PauseKey, by: string | null, note: string | null = null): Promise<Moved> {
    await this.#one('maintenance/pause', [...valuesOf(key), by, note]);
    return this.#move(key, true, time.monotonicMs() + moveWithinMs);
  }

  /** Null where nothing of exactly this key is paused. */
  async resume(key: PauseKey): Promise<Moved | null> {
    const ended = await this.#one('maintenance/resume', valuesOf(key));
    return ended ? this.#move(key, false, time.monotonicMs() + moveWithinMs) : null;
  }

  /** Moves rows that are not where the pauses want them, and forgets pauses that ended long enough ago. */
  async keep(): Promise<void> {
    for (const pause of await this.#read(true)) {
      await this.#move(pause, !pause.ended, Number.POSITIVE_INFINITY);
    }
    await transact(() => query(this.#options.sql, statement('maintenance/forget-pauses'), []));
  }

  async #move(key: PauseKey, hold: boolean, deadline: number): Promise<Moved> {
    const { text, values } = conditionOf(key);
    const sql = statement('maintenance/hold').replace('{key}', () => text);
    const step = !hold && (await this.#options.ranksFairly(key.scheduler)) ? fairCost : 0;
    let moved = 0;
    while (!this.#stop.signal.aborted) {
      const [row] = await transact(() =>
        query<{ moved: number }>(this.#options.sql, sql, [key.scheduler, hold, perBatch, step, ...values]),
      );
      const count = row!.moved;
      moved += count;
      if (!hold && count > 0) this.#options.onResumed(key.scheduler, count);
      if (count === 0) return { moved, complete: true };
      if (time.monotonicMs() > deadline) break;
    }
    return { moved, complete: false };
  }

  async #one(name: string, values: readonly unknown[]): Promise<boolean> {
    return (await transact(() => query(this.#options.sql, statement(name), values))).length > 0;
  }

  async #read(forKeeper: boolean): Promise<readonly (Pause & { readonly ended: boolean })[]> {
    const rows = await transact(() => query<PauseRow>(this.#options.sql, statement('maintenance/pauses'), [forKeeper]));
    return rows.map(({ paused_by, ...row }) => ({ ...row, pausedBy: paused_by }));
  }
}

interface PauseRow extends PauseKey {
  readonly id: string;
  readonly paused_by: string | null;
  readonly note: string | null;
  readonly since: string;
  readonly ended: boolean;
}

function valuesOf({ scheduler, organisation, plugin }: PauseKey): readonly (string | null)[] {
  return [scheduler, organisation, plugin];
}

function conditionOf({ organisation, plugin }: PauseKey): { text: string; values: readonly string[] } {
  const columns = { organisation, plugin };
  const given = Object.entries(columns).filter((entry): entry is [string, string] => entry[1] !== null);
  const texts = given.map(([column], at) => `q.${column} = $${5 + at}`);
  return { text: texts.length === 0 ? 'true' : texts.join(' AND '), values: given.map(([, value]) => value) };
}
