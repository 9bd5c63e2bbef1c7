import { RotaError } from '../../errors.ts';
import { StatementsInFlight } from '../batching.ts';
import { distinctFilters } from '../filter/filter.ts';
import type { ClaimedTask, PopRequest } from '../queue.ts';
import { type ClaimStatement, filterTooSlow, type Way } from './claim.ts';
import { time } from '../../time-and-chance.ts';

/** One pop, from its arrival to its answer. */
export interface Waiter {
  readonly request: PopRequest;
  /** time.monotonicMs() at which it stops waiting. */
  deadline: number;
  readonly answer: (tasks: readonly ClaimedTask[]) => void;
  readonly refuse: (error: unknown) => void;
  /** It has parked before: if it waits again, a wake is the reason. */
  looked: boolean;
  state: 'waiting' | 'claiming' | 'parked' | 'answered';
  /** Ends its timer and its listener: called when it is answered, since its requester may outlive that. */
  unwatch: () => void;
}

/** Pops with the identical filter: only they can share a claim. */
export interface Line {
  readonly key: string;
  readonly statement: ClaimStatement;
  /** Oldest first: all that are not answered yet, in any state. */
  readonly waiters: Waiter[];
  /** Counts wakes: a claim whose snapshot is older than the last wake may have missed what was queued. */
  wakes: number;
  inFlight: number;
}

/**
 * Claims at once of one scheduler, for each way of finding tasks. Claims with filters may take long: those without one never
 * wait for them.
 */
export function claimsInFlightOf(way: Way, most: number): number {
  if (way === 'open') return most;
  return way === 'indexed' ? Math.max(1, most - 1) : 1;
}

/** A claim that takes this long is expensive: its filter then rests, and so does the lane of searches. */
const expensiveMs = 50;
/** An expensive filter rests for five times as long as its claim took: it gets a sixth of its lane at most. */
const restsPerClaim = 5;
const longestRestMs = 5_000;
/** Filters that are remembered as expensive; the oldest entry goes first. */
const mostRests = 1_000;
/** A claim of so many units that fits needs no bound. */
const mostRoom = 1_000;

interface ClaimLaneOptions {
  readonly way: Way;
  readonly most: number;
  readonly claimUnits: number;
  readonly start: (lane: ClaimLane) => void;
}

/** The lines of one way, and which of them may claim next. */
export class ClaimLane {
  readonly lines = new Map<string, Line>();
  readonly inFlight: StatementsInFlight;
  readonly #options: ClaimLaneOptions;
  /** Of each expensive filter: when it may claim again, and whether its claim was ended for being too slow. */
  readonly #rests = new Map<string, { readonly until: number; readonly tooSlow: boolean }>();
  /** The most units of a claim; no bound while the tasks of all claims had room. */
  room = Number.POSITIVE_INFINITY;
  readonly #ending = new AbortController();
  #looks = 0;

  constructor(options: ClaimLaneOptions) {
    this.#options = options;
    this.inFlight = new StatementsInFlight({ most: options.most, start: () => options.start(this) });
  }

  /**
   * The batch of the line with the oldest waiting pop: no pop is overtaken because others share a filter. But lines that look
   * again because of a wake (each push wakes them all) leave half of the claims to pops that have not looked yet.
   */
  next(): { line: Line; batch: readonly Waiter[] } | null {
    const now = time.monotonicMs();
    const looksAdmitted = this.#options.way === 'open' || this.#looks < Math.ceil(this.#options.most / 2);
    let oldest = Number.POSITIVE_INFINITY;
    let next: { line: Line; batch: readonly Waiter[] } | null = null;
    for (const line of this.lines.values()) {
      const batch = nextBatch(line, Math.min(this.#options.claimUnits, this.room));
      if (
        batch.length === 0 ||
        (!looksAdmitted && looksAgain(batch)) ||
        (this.#rests.size > 0 && this.#restOf(line, now) > 0)
      )
        continue;
      if (!this.inFlight.admits(unitsOf(batch), line.inFlight)) continue;
      const since = batch[0]!.deadline - batch[0]!.request.waitMs;
      if (since >= oldest) continue;
      oldest = since;
      next = { line, batch };
    }
    return next;
  }

  /** @throws RotaError FILTER_TOO_SLOW for a filter that was so a moment ago */
  admit(key: string): void {
    const rest = this.#rests.get(key);
    if (rest?.tooSlow === true && rest.until > time.monotonicMs()) throw filterTooSlow();
  }

  /** A line for a filter that no pop waits with. @throws RotaError MAILBOX_FULL */
  open(key: string, statement: ClaimStatement): Line {
    if (this.lines.size >= distinctFilters) {
      throw new RotaError('MAILBOX_FULL', `pops with ${distinctFilters} different filters wait already`);
    }
    const line: Line = { key, statement, waiters: [], wakes: 0, inFlight: 0 };
    this.lines.set(key, line);
    return line;
  }

  /** Runs a claim of the line. An expensive search keeps its slot for as long again: all searches together get half a core. */
  run(line: Line, batch: readonly Waiter[], claim: () => Promise<'served' | 'too slow'>): void {
    const looks = looksAgain(batch) ? 1 : 0;
    line.inFlight += 1;
    this.#looks += looks;
    const started = time.monotonicMs();
    const ended = claim().then((end) => {
      line.inFlight -= 1;
      this.#looks -= looks;
      this.forget(line);
      const ms = time.monotonicMs() - started;
      if (this.#options.way === 'open' || (ms < expensiveMs && end === 'served')) return undefined;
      this.#rest(line, ms, end === 'too slow');
      return this.#options.way === 'search' ? this.#pause(Math.min(ms, longestRestMs)) : undefined;
    });
    this.inFlight.add(ended);
  }

  /** Some tasks were so large that others went back: the next claim asks for as many as had room, each later one for twice as many. */
  learn(units: number, full: boolean): void {
    if (full) this.room = Math.max(1, units);
    else if (this.room < mostRoom) this.room *= 2;
    else this.room = Number.POSITIVE_INFINITY;
  }

  /** Ends the waits between searches. Resolves when the claims in flight have ended. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.inFlight.settled();
  }

  forget(line: Line): void {
    if (line.waiters.length === 0 && line.inFlight === 0) this.lines.delete(line.key);
  }

  #rest(line: Line, ms: number, slow: boolean): void {
    const restMs = Math.min(ms * restsPerClaim, longestRestMs);
    this.#rests.delete(line.key);
    if (this.#rests.size >= mostRests) this.#rests.delete(this.#rests.keys().next().value!);
    const rest = { until: time.monotonicMs() + restMs, tooSlow: slow };
    this.#rests.set(line.key, rest);
    time
      .setTimeout(() => {
        if (this.#rests.get(line.key) === rest) this.#rests.delete(line.key);
        this.inFlight.schedule();
      }, restMs + 1)
      .unref();
  }

  async #pause(ms: number): Promise<void> {
    await time.sleep(ms, this.#ending.signal).catch(() => {});
  }

  #restOf({ key }: Line, now: number): number {
    const rest = this.#rests.get(key);
    return rest === undefined ? 0 : rest.until - now;
  }
}

function looksAgain(batch: readonly Waiter[]): boolean {
  return batch.every(({ looked }) => looked);
}

/** The waiting pops, oldest first, as far as one claim of `maxUnits` reaches; the first in any case. */
function nextBatch(line: Line, maxUnits: number): readonly Waiter[] {
  const batch: Waiter[] = [];
  let units = 0;
  for (const waiter of line.waiters) {
    if (waiter.state !== 'waiting') continue;
    units += waiter.request.limit;
    if (batch.length > 0 && units > maxUnits) break;
    batch.push(waiter);
  }
  return batch;
}

export function unitsOf(batch: readonly Waiter[]): number {
  return batch.reduce((sum, { request }) => sum + request.limit, 0);
}
