import type { Time, Timer } from '../../time-and-chance.ts';
import { byTime, Heap } from './heap.ts';

/** What happens at a time; `run` is null once it was cancelled. */
interface Happening extends Timer {
  readonly at: number;
  readonly order: number;
  run: (() => void) | null;
  /** Promises may be settled by it: all that follows from them happens before the next one. */
  readonly settles: boolean;
}

const turnsAtOnce = 256;

/**
 * Virtual time: an event heap in one thread. Nothing takes time but what says so, and what happens at one moment happens in the order in
 * which it was planned; so a run is the same each time, on any machine.
 */
export class VirtualClock {
  readonly #plan = new Heap<Happening>(byTime);
  readonly #began: number;
  #now: number;
  #planned = 0;
  /** Of something that none awaits. */
  #error: { readonly thrown: unknown } | null = null;

  /** @param began epoch milliseconds */
  constructor(began: number) {
    this.#began = began;
    this.#now = began;
  }

  /** Epoch milliseconds. */
  get now(): number {
    return this.#now;
  }

  /** Something that settles no promise. */
  after(ms: number, run: () => void): Timer {
    return this.#add(ms, run, false);
  }

  /** The same for what others await. */
  settleAfter(ms: number, run: () => void): Timer {
    return this.#add(ms, run, true);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#add(ms, resolve, true));
  }

  cancel(timer: Timer | null | undefined): void {
    if (timer != null) (timer as Happening).run = null;
  }

  /** Again and again, first after `ms`. */
  every(ms: number, run: () => void): void {
    const again = () => {
      run();
      this.after(ms, again);
    };
    this.after(ms, again);
  }

  /** Of what none awaits: its error ends the run. */
  follow(work: Promise<unknown>): void {
    work.catch((thrown: unknown) => (this.#error ??= { thrown }));
  }

  /** Lets happen what is planned until then, or until `isOver`. An error that something throws ends it. */
  run(until: number, isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let ended = false;
      const turn = () => {
        if (ended) return;
        try {
          ended = this.#happen(until, isOver);
          if (ended) resolve();
        } catch (error) {
          ended = true;
          reject(error);
        }
      };
      // Node settles promises between two immediates, too; an event loop's turn for each would cost four times as much.
      const turns = () => {
        if (ended) return;
        for (let n = 0; n < turnsAtOnce; n += 1) setImmediate(turn);
        setImmediate(turns);
      };
      turns();
    });
  }

  /** Up to the next that settles promises: all that follows from them happens before this goes on. @returns whether it is over */
  #happen(until: number, isOver: () => boolean): boolean {
    while (!isOver()) {
      if (this.#error !== null) throw this.#error.thrown;
      const next = this.#plan.peek();
      if (next === undefined || next.at > until) {
        this.#now = until;
        return true;
      }
      this.#plan.pop();
      const { run } = next;
      if (run === null) continue;
      this.#now = next.at;
      next.run = null;
      run();
      if (next.settles) return false;
    }
    return true;
  }

  /** In the place of Node's own (src/time-and-chance.ts). */
  readonly time: Time = {
    wallMs: () => this.#now,
    monotonicMs: () => this.#now - this.#began,
    setTimeout: (run, ms) => this.#add(ms, run, true),
    clearTimeout: (timer) => this.cancel(timer),
    setInterval: (run, ms) => {
      const timer = { run: null as Timer | null, unref: () => timer };
      const again = () => {
        timer.run = this.#add(ms, again, true);
        run();
      };
      timer.run = this.#add(ms, again, true);
      return timer;
    },
    clearInterval: (timer) => this.cancel((timer as { run?: Timer } | null | undefined)?.run),
    setImmediate: (run) => void this.#add(0, run, true),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const timer = this.#add(ms, resolve, true);
        signal?.addEventListener('abort', () => {
          this.cancel(timer);
          reject(signal.reason as Error);
        });
      }),
  };

  #add(ms: number, run: () => void, settles: boolean): Happening {
    const at = this.#now + Math.max(0, Math.round(ms));
    const happening: Happening = { at, order: (this.#planned += 1), run, settles, unref };
    this.#plan.push(happening);
    return happening;
  }
}

function unref(this: Timer): Timer {
  return this;
}
