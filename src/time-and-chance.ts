import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Where time and chance enter what is simulated: mailboxes, supervisor, queue, rankers and actors take both from here and from nowhere
 * else (test/architecture.test.ts). A simulation puts virtual time and seeded chance in their place, in its own thread
 * (`replaceTimeAndChance`); anywhere else these are Node's own.
 */
export interface Time {
  /** Epoch milliseconds by this machine's clock, which may be wrong: nothing is decided by it. */
  wallMs(): number;
  /** Milliseconds of a clock that no step moves; each thread has its own origin. */
  monotonicMs(): number;
  setTimeout(run: () => void, ms: number): Timer;
  clearTimeout(timer: Timer | null | undefined): void;
  setInterval(run: () => void, ms: number): Timer;
  clearInterval(timer: Timer | null | undefined): void;
  /** The next turn of the event loop. */
  setImmediate(run: () => void): void;
  /** Rejects when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Timer {
  /** It keeps no process alive. */
  unref(): Timer;
}

export interface Chance {
  /** [0, 1). */
  random(): number;
  /** Version 4. */
  uuid(): string;
  /**
   * Version 7: later ones sort after earlier ones, so that the primary keys of tasks and schedules grow at their right edge and not all
   * over (one random page less per row and index to write into the log after each checkpoint). By this machine's clock, however
   * wrong: nothing is decided by the order of ids.
   */
  timeOrderedUuid(): string;
  /** So many random bytes as hexadecimal digits. */
  hex(bytes: number): string;
}

/** Looked up at each call, so that tests may replace Node's globals. */
const realTime: Time = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  setInterval: (run, ms) => setInterval(run, ms),
  clearInterval: (timer) => clearInterval(timer as NodeJS.Timeout | undefined),
  setImmediate: (run) => void setImmediate(run),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
};

const realChance: Chance = {
  random: () => Math.random(),
  uuid: () => crypto.randomUUID(),
  timeOrderedUuid,
  hex: (bytes) => randomBytes(bytes).toString('hex'),
};

// Objects with functions and not functions that look which is in force: a call through one costs what a call costs.
export const time: Time = { ...realTime };
export const chance: Chance = { ...realChance };

/** For this thread, until what is returned is called. */
export function replaceTimeAndChance(by: { readonly time: Time; readonly chance: Chance }): () => void {
  Object.assign(time, by.time);
  Object.assign(chance, by.chance);
  return () => {
    Object.assign(time, realTime);
    Object.assign(chance, realChance);
  };
}

function timeOrderedUuid(): string {
  // crypto.randomUUIDv7, of newer Nodes, takes three times as long: it writes the time anew for each.
  const now = Date.now();
  if (now !== uuidTime) {
    const digits = now.toString(16).padStart(12, '0');
    uuidTime = now;
    uuidBeginning = `${digits.slice(0, 8)}-${digits.slice(8)}-7`;
  }
  return `${uuidBeginning}${crypto.randomUUID().slice(15)}`;
}

let uuidTime = -1;
/** Of UUIDs of that millisecond. */
let uuidBeginning = '';
