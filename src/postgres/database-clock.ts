import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs, SharedClock } from '../shared-clock.ts';
import { query, type Sql, transact } from './pool.ts';

/** After a failover we follow the new server's clock within this time. */
const everyMs = 10_000;
/** Clocks drift apart by at most 0.5 ms a second while NTP corrects them; this is twice that. */
const driftPerMs = 0.001;

/**
 * Keeps the shared clock at the database's time. Deadlines, crons, grace periods and leases go by the database's
 * clock, not by the supervisors' clocks.
 *
 * The database read its clock somewhere between question and answer: half the round trip is subtracted, and is the answer's
 * possible error. An answer replaces what is known where its error is smaller; the known error grows with time. So the
 * quickest of the recent answers counts, and a slow one changes nothing. An answer that contradicts what is known (the
 * database's clock was set, or is another server's, or this machine slept) counts at any round trip.
 */
export class DatabaseClock {
  /** What it keeps right: known once `start` has resolved. */
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

  /** Resolves when the time is known, and keeps it right from then on. @throws RotaError DATABASE_UNAVAILABLE */
  async start(): Promise<void> {
    // The first look may open a connection; the second one is quicker.
    await this.look();
    await this.look();
    void this.#keepRight();
  }

  /** Does not wait for an answer in flight: a database that hangs gives none. */
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
    // While the database is away the clock runs on; the statements of others report the outage.
    for (await rest(); !signal.aborted; await rest()) await this.look().catch(() => {});
  }
}

/** @throws RotaError DATABASE_UNAVAILABLE where the database does not answer */
export async function startDatabaseClock(sql: Sql): Promise<DatabaseClock> {
  const text = 'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now';
  const clock = new DatabaseClock(async () => (await transact(() => query<{ now: number }>(sql, text, [])))[0]!.now);
  await clock.start();
  return clock;
}
