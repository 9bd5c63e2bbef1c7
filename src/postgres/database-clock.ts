import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs, SharedClock } from '../shared-clock.ts';
import { query, type Sql, transact } from './pool.ts';

/** A database that another one has taken the place of (failover) is followed within this time. */
const everyMs = 10_000;
/** Clocks drift apart by 0.5 ms a second at most while NTP corrects them. What an answer says is surer than that for long. */
const driftPerMs = 0.001;

/**
 * Knows the database's time without asking for it each time: it is what deadlines, crons and grace periods live by, as
 * leases do, and not by the clocks of the supervisors.
 *
 * The database's clock was read somewhere between question and answer: half the round trip is subtracted, and is what the
 * answer may be wrong by. An answer counts where it is surer than what is known, which grows less sure with time: so of
 * those of late the quickest counts, and a slow one changes nothing. One that contradicts what is known (the database's
 * clock was set, or is another one's, or this machine slept) counts with any round trip.
 */
export class DatabaseClock {
  readonly shared: SharedClock;
  readonly #ask: () => Promise<number>;
  readonly #monotonic: () => number;
  readonly #stop = new AbortController();
  #known: { readonly aheadMs: number; readonly errorMs: number; readonly at: number } | null = null;

  /** `ask`: the database's time in epoch milliseconds. */
  constructor(ask: () => Promise<number>, monotonic = monotonicMs) {
    this.#ask = ask;
    this.#monotonic = monotonic;
    this.shared = new SharedClock(undefined, monotonic);
  }

  /** Epoch milliseconds. @throws RotaError DATABASE_UNAVAILABLE before `start` has resolved. */
  now(): number {
    return this.shared.now();
  }

  /** Resolves when the time is known; it is kept right from then on. @throws RotaError DATABASE_UNAVAILABLE */
  async start(): Promise<void> {
    // The first may open a connection: the second is the quicker one.
    await this.look();
    await this.look();
    void this.#keepRight();
  }

  /** Waits for no answer: a database that hangs gives none. */
  stop(): void {
    this.#stop.abort();
  }

  /** Asks once. */
  async look(): Promise<void> {
    const asked = this.#monotonic();
    const answer = await this.#ask();
    const at = this.#monotonic();
    const errorMs = (at - asked) / 2;
    const aheadMs = answer - (asked + errorMs);
    const known = this.#known;
    const unsureMs = known === null ? Number.POSITIVE_INFINITY : known.errorMs + (at - known.at) * driftPerMs;
    if (errorMs > unsureMs && Math.abs(aheadMs - known!.aheadMs) <= errorMs + unsureMs) return;
    this.#known = { aheadMs, errorMs, at };
    this.shared.set(aheadMs);
  }

  async #keepRight(): Promise<void> {
    const { signal } = this.#stop;
    const rest = () => delay(everyMs, null, { signal, ref: false }).catch(() => {});
    // While the database is away the clock goes on as it was; that it is away others tell.
    for (await rest(); !signal.aborted; await rest()) await this.look().catch(() => {});
  }
}

/** @throws RotaError DATABASE_UNAVAILABLE where the database does not tell its time. */
export async function startDatabaseClock(sql: Sql): Promise<DatabaseClock> {
  const text = 'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now';
  const clock = new DatabaseClock(async () => (await transact(() => query<{ now: number }>(sql, text, [])))[0]!.now);
  await clock.start();
  return clock;
}
