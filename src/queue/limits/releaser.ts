import { type Executor, query, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { RunningTaskQueue } from '../task-queue.ts';
import { applyLimits, type Found, park, revisit } from './apply.ts';
import { changing, type Closed, closedAt, type LimitsView, readLimits, versionOf } from './view.ts';
import { time } from '../../time-and-chance.ts';

export interface ReleaserOptions {
  readonly sql: Sql;
  readonly schedulerIds: readonly string[];
  /** Tells of what changes, while there is a limit; is told what may be popped. */
  readonly queue: Pick<RunningTaskQueue, 'watch' | 'wake'>;
  onError(error: unknown): void;
}

/** How long a change, a row of another supervisor or a place that nothing told of waits at most. */
const lookEveryMs = 1_000;
/** A burst of wakes is one look. */
export const leastBetweenMs = 40;
/** A walk over all that is queued: soon again for what the first one just missed, then once more when nothing of before is under way. */
const applyAgainMs = [2_000, 21_000] as const;
const forgetEveryMs = 60_000;
/** Rows and keys of one pass: some 50 ms at most, so that no key waits long for those before it. */
const rowsPerPass = 500;
const keysPerPass = 200;
/** On a busy machine 200 keys took 300 ms, and what was pushed waited for two passes and a rest: a pass that takes longer halves the next. */
const longestPassMs = 100;
const leastKeysPerPass = 25;
const rowsOfKey = 200;
/** Rows that a pause holds are set aside where they stand first at a key. */
const pausedPerPass = 500;
/** Of a larger group the rest waits for its next turn: one statement is to end in time. */
const rowsOfGroup = 1_000;
/** Limiters of one look, once a second until all were looked through. */
const forgetPerLook = 5_000;
/** What claims and ends told, folded at once. */
const changesPerPass = 20_000;

/** Rows that may be popped, by scheduler. */
type Freed = Readonly<Record<string, number>>;

interface Due {
  readonly is_due: boolean;
  readonly wait_ms: number | null;
}

interface Admitted {
  readonly admitted: Freed;
  readonly keys: readonly string[];
}

/**
 * Admits what limits hold as they have room (docs/limits-semantics.md). Each supervisor has one and one works at a time: whichever has the
 * lock decides by what the database shows, and remembers nothing.
 */
export class Releaser {
  readonly #options: ReleaserOptions;
  readonly #stop = new AbortController();
  #running: Promise<unknown> | null = null;
  #isNeeded = false;
  #woken = Promise.withResolvers<null>();
  #applyAt = 0;
  #walks = 0;
  #viewedAt = Number.NEGATIVE_INFINITY;
  /** When a pass is due by the clock: a window opens or closes, or the last one left something. */
  #passAt = 0;
  #keysPerPass = keysPerPass;
  #turns = 0;
  #forgotAt = time.monotonicMs();
  /** '' at the beginning. */
  #forgetAfter = '';
  #applying: Promise<unknown> = Promise.resolve();
  #isApplying = false;

  constructor(options: ReleaserOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.wake();
    await this.#running;
    await this.#applying;
  }

  /** Something was queued, claimed or ended. */
  wake(): void {
    if (this.#isNeeded || this.#stop.signal.aborted) this.#woken.resolve(null);
  }

  /** What was queued before the limits that are set now is held, as far as a walk could. */
  async applied(): Promise<void> {
    await this.#applying;
  }

  /** A limit was set or ended here: it is looked at now. */
  changed(): void {
    this.#applyAt = 0;
    this.#walks = 0;
    this.#viewedAt = Number.NEGATIVE_INFINITY;
    this.#woken.resolve(null);
  }

  async #run(): Promise<void> {
    const { onError } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#woken = Promise.withResolvers();
      const began = time.monotonicMs();
      const waitMs = await this.look().catch((error: unknown) => {
        onError(error);
        return lookEveryMs;
      });
      // As long again as it took: with ten thousand keys due the workers' statements have half of a core at least.
      const restMs = Math.max(leastBetweenMs, time.monotonicMs() - began);
      await time.sleep(restMs, signal).catch(() => {});
      if (waitMs <= restMs) continue;
      const timer = new AbortController();
      const due = time.sleep(Math.min(waitMs, lookEveryMs) - restMs, timer.signal).catch(() => {});
      await Promise.race([this.#woken.promise, due]);
      timer.abort();
    }
  }

  /** @returns milliseconds until there may be something to do */
  async look(): Promise<number> {
    const { sql, onError } = this.#options;
    const isFull = time.monotonicMs() - this.#viewedAt >= lookEveryMs;
    if (isFull) {
      const view = await transact(() => readLimits(sql));
      this.#viewedAt = time.monotonicMs();
      this.#need(view.limits.length > 0);
      this.#apply(view);
      // What a window let go is looked for once a second, too; and what another supervisor left of a change.
      if (view.limits.some(({ hours, isRevisited }) => hours !== null || isRevisited)) this.#passAt = 0;
    }
    const waitMs = this.#isNeeded ? await this.#passIfDue() : lookEveryMs;
    // After the last limit has gone, too: what is left of it would grow with each claim. No pass fails with it.
    if (isFull && time.monotonicMs() - this.#forgotAt >= forgetEveryMs) await this.forget().catch(onError);
    return waitMs;
  }

  async #passIfDue(): Promise<number> {
    const { sql } = this.#options;
    const [due] = await transact(() => query<Due>(sql, statement('limits/due'), []));
    const isDue = due!.is_due || (due!.wait_ms ?? lookEveryMs) <= 0 || time.monotonicMs() >= this.#passAt;
    if (isDue) return this.pass();
    return Math.min(due!.wait_ms ?? lookEveryMs, this.#passAt - time.monotonicMs());
  }

  /** A stretch of the limiters: those that are of no use any more go. */
  async forget(): Promise<void> {
    const before = this.#forgotAt;
    this.#forgotAt = time.monotonicMs();
    const [stretch] = await changing(this.#options.sql, (forgetting) =>
      query<{ after: string | null }>(forgetting, statement('limits/forget'), [this.#forgetAfter, forgetPerLook]),
    );
    this.#forgetAfter = stretch!.after ?? '';
    if (stretch!.after !== null) this.#forgotAt = before;
  }

  /** Without a limit the queue tells nothing. */
  #need(isNeeded: boolean): void {
    if (isNeeded !== this.#isNeeded) this.#options.queue.watch(isNeeded ? () => this.wake() : null);
    this.#isNeeded = isNeeded;
  }

  /** One pass over what waits. @returns milliseconds until the next is due */
  async pass(): Promise<number> {
    const { sql, queue } = this.#options;
    // With the lock: another supervisor's pass is not this one's length.
    let began = 0;
    const done = await changing(sql, async (releasing) => {
      began = time.monotonicMs();
      const view = await readLimits(releasing);
      const closed = closedAt(view);
      const revisited = view.limits.filter(({ isRevisited }) => isRevisited);
      // In turns: one with a million keys takes minutes.
      const turn = revisited[(this.#turns += 1) % revisited.length];
      const isLeft = turn !== undefined && (await revisit(releasing, turn.name));
      // The length of a pass decides how many keys that are due the next one takes: this is none of it.
      if (turn !== undefined) began = time.monotonicMs();
      const closing = await close(releasing, closed);
      const looked = await resolve(releasing, view);
      await query(releasing, statement('limits/fold'), [changesPerPass]);
      const { admitted, keys } = await admit(releasing, view, closed, this.#keysPerPass);
      const values = [keys, closed.names, closed.opens];
      const [next] = await query<{ wait_ms: number | null }>(releasing, statement('limits/next'), values);
      const isFull = isLeft || revisited.length > 1 || closing === rowsPerPass || looked.count === rowsPerPass;
      const changesMs = isFull ? 0 : closed.next - view.now;
      const waitMs = Math.min(next!.wait_ms ?? lookEveryMs, changesMs, lookEveryMs);
      return { freed: [...Object.entries(looked.freed), ...Object.entries(admitted)], waitMs, changesMs };
    });
    const now = time.monotonicMs();
    this.#passAt = now + done.changesMs;
    this.#keysPerPass =
      now - began > longestPassMs
        ? Math.max(leastKeysPerPass, Math.floor(this.#keysPerPass / 2))
        : Math.min(keysPerPass, this.#keysPerPass + leastKeysPerPass);
    for (const [scheduler, count] of done.freed) queue.wake(scheduler, count);
    return done.waitMs;
  }

  /** Holds what was queued before a limit was set: beside the passes, since it may take long. */
  #apply(view: LimitsView): void {
    const { sql, schedulerIds, onError } = this.#options;
    if (this.#isApplying || time.monotonicMs() < this.#applyAt || !view.limits.some(({ isApplying }) => isApplying))
      return;
    this.#isApplying = true;
    this.#applyAt = time.monotonicMs() + applyAgainMs[Math.min(this.#walks, 1)]!;
    this.#walks += 1;
    this.#applying = applyLimits(sql, view, schedulerIds, this.#stop.signal, () => this.wake())
      .catch(onError)
      .finally(() => (this.#isApplying = false));
  }
}

/** Parks again what a window let go before it closed. @returns the most rows of one window */
async function close(releasing: Executor, { names }: Closed): Promise<number> {
  let most = 0;
  for (const name of names) {
    const [row] = await query<{ parked: number }>(releasing, statement('limits/close'), [`${name}/`, rowsPerPass]);
    most = Math.max(most, row!.parked);
  }
  return most;
}

/** Finds the keys of rows that are held and were not looked at. */
async function resolve(releasing: Executor, { limits }: LimitsView): Promise<{ count: number; freed: Freed }> {
  const rows = await query<Found>(releasing, statement('limits/unresolved'), [rowsPerPass]);
  return { count: rows.length, freed: rows.length === 0 ? {} : (await park(releasing, limits, rows, true)).freed };
}

async function admit(
  releasing: Executor,
  { limits }: LimitsView,
  { names, opens }: Closed,
  keys: number,
): Promise<Admitted> {
  const values = [keys, names, opens, versionOf(limits), rowsOfKey, pausedPerPass, rowsOfGroup];
  const [row] = await query<Admitted>(releasing, statement('limits/admit'), values);
  return row!;
}
