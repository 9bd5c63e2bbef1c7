import type { Sql } from '../../src/postgres/pool.ts';
import type { Sample } from './bench.ts';
import { queueUpTo } from './seeds.ts';

export interface Load {
  readonly inFlight: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Ends a sample early: a queue of 10 000 must not become one of 1 000 while it is measured. */
  readonly most?: number;
  /** Sends one request; `done` says how many tasks it was about. Never called again for a slot before it is done. */
  send(slot: number, done: (count: number) => void, failed: (error: unknown) => void): void;
}

/**
 * A closed loop: `inFlight` requesters, each of which asks again as soon as it is answered. Callbacks, not promises: from
 * 64 in flight on a load generator of promises measures itself.
 */
export function closedLoop(load: Load): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const latencies: number[] = [];
    let counted = 0;
    let warm = 0;
    let idle = 0;
    let state: 'warm' | 'measured' | 'over' = load.warmUpMs === 0 ? 'measured' : 'warm';
    let began = performance.now();
    let cpu = process.cpuUsage();
    const most = load.most ?? Number.POSITIVE_INFINITY;
    let due = false;
    const limit = setTimeout(() => {
      due = true;
      if (enough()) state = 'over';
    }, load.warmUpMs + load.measureMs);
    /** An answer for each requester: requests that take longer than a sample would have no rate. */
    const enough = () => latencies.length >= load.inFlight;
    let ended = 0;
    let spent = cpu;

    const failed = (error: unknown) => {
      state = 'over';
      clearTimeout(limit);
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const next = (slot: number) => {
      if (state === 'over') return finish();
      const sent = performance.now();
      load.send(
        slot,
        (count) => {
          const now = performance.now();
          if (state === 'warm' && (now - began >= load.warmUpMs || (warm += count) >= most / 5)) {
            state = 'measured';
            began = now;
            cpu = process.cpuUsage();
          } else if (state === 'measured') {
            counted += count;
            latencies.push(now - sent);
            ended = now;
            if (counted >= most || (due && enough())) state = 'over';
          }
          next(slot);
        },
        failed,
      );
    };
    const finish = () => {
      idle += 1;
      if (idle === 1) spent = process.cpuUsage(cpu);
      if (idle < load.inFlight) return;
      clearTimeout(limit);
      const elapsed = ended - began;
      resolve({
        value: counted === 0 ? 0 : (counted / elapsed) * 1_000,
        latenciesMs: Float64Array.from(latencies),
        loadCpu: (spent.user + spent.system) / 1_000 / Math.max(elapsed, 1),
      });
    };
    for (let slot = 0; slot < load.inFlight; slot += 1) next(slot);
  });
}

/**
 * An open loop: requests begin at their time, whether earlier ones are answered or not; a load that falls behind shows in its latencies.
 * @throws where more than `most` are unanswered at once, from `stop`
 */
export function openLoop({ rate, most, send }: Pick<Load, 'send'> & { readonly rate: number; readonly most: number }) {
  let [latencies, begun, busy]: [number[], number, number] = [[], 0, 0];
  let failure: unknown = null;
  const free = Array.from({ length: most }, (_, slot) => slot);
  const idle = Promise.withResolvers<void>();
  const started = performance.now();
  const fail = (error: unknown) => (failure ??= error);
  const begin = (slot: number) => {
    const due = started + (begun * 1_000) / rate;
    begun += 1;
    busy += 1;
    const ended = () => {
      free.push(slot);
      busy -= 1;
      if (ending && busy === 0) idle.resolve();
    };
    send(
      slot,
      () => {
        latencies.push(performance.now() - due);
        ended();
      },
      (error) => {
        fail(error);
        ended();
      },
    );
  };
  const pacing = setInterval(() => {
    while (begun < ((performance.now() - started) * rate) / 1_000) {
      const slot = free.pop();
      if (slot === undefined) return fail(new Error(`more than ${most} requests are unanswered`));
      begin(slot);
    }
  }, 5);
  let ending = false;
  return {
    /** Milliseconds of what ended since the last call, from when it was due. */
    take(): Float64Array {
      const taken = Float64Array.from(latencies);
      latencies = [];
      if (failure !== null) throw failure;
      return taken;
    },
    async stop(): Promise<void> {
      clearInterval(pacing);
      ending = true;
      if (busy > 0) await idle.promise;
      if (failure !== null) throw failure;
    },
  };
}

/** What a callback throws would end the process: it fails the sample instead. */
export function attempt(failed: (error: unknown) => void, work: () => unknown): void {
  try {
    work();
  } catch (error) {
    failed(error);
  }
}

interface MeterOptions {
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Ends the measurement early. */
  readonly most: number;
}

/** The rate of something that runs by itself and reports each thing done. */
export class Meter {
  /** Per second, once it has been measured; 0 where nothing was done. */
  readonly rate: Promise<number>;
  readonly #options: MeterOptions;
  readonly #started = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #resolve: (rate: number) => void;
  #began: number | null = null;
  #count = 0;

  constructor(options: MeterOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.rate = promise;
    this.#resolve = resolve;
    this.#timer = setTimeout(() => this.#end(performance.now()), options.warmUpMs + options.measureMs);
  }

  count(): void {
    const { warmUpMs, measureMs, most } = this.#options;
    const now = performance.now();
    this.#count += 1;
    if (this.#began === null) {
      if (now - this.#started < warmUpMs && this.#count < most / 5) return;
      this.#began = now;
      this.#count = 0;
    } else if (this.#count >= most || now - this.#began >= measureMs) {
      this.#end(now);
    }
  }

  #end(now: number): void {
    clearTimeout(this.#timer);
    this.#resolve(this.#began === null ? 0 : (this.#count / (now - this.#began)) * 1_000);
  }
}

/** Keeps a queue at its depth between samples. Counting ten million rows takes a second: it counts what is taken. */
export class Backlog {
  readonly #sql: Sql;
  readonly #depth: number;
  readonly #mostMissing: number;
  #taken = 0;

  /** @param mostMissing share of the depth; a tenth of a deep queue is nothing, one of 100 000 is filled up each time. */
  constructor(sql: Sql, depth: number, mostMissing = depth >= 1_000_000 ? 0.1 : 0.01) {
    this.#sql = sql;
    this.#depth = depth;
    this.#mostMissing = mostMissing;
  }

  took(tasks: number): number {
    this.#taken += tasks;
    return tasks;
  }

  async refill(): Promise<void> {
    if (this.#taken < this.#depth * this.#mostMissing) return;
    this.#taken = 0;
    await queueUpTo(this.#sql, this.#depth);
  }
}
