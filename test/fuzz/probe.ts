import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export interface ProbeOptions {
  readonly natsUrl: string;
  readonly prefix: string;
  readonly scheduler: string;
}

export type ProbeAsk = 'take' | 'end';

export interface Taken {
  readonly samples: readonly number[];
  readonly refused: number;
  readonly unanswered: number;
}

export interface Pops {
  readonly count: number;
  /** Milliseconds; 0 where there were none. */
  readonly p99: number;
  readonly slowest: number;
  readonly refused: number;
  readonly unanswered: number;
}

/** What another client's pops take, since the last time that it was asked. */
export class Probe {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  static async start(options: ProbeOptions): Promise<Probe> {
    const worker = new Worker(new URL('probe-thread.ts', import.meta.url), { workerData: options });
    await once(worker, 'message');
    return new Probe(worker);
  }

  async take(): Promise<Pops> {
    this.#worker.postMessage('take' satisfies ProbeAsk);
    const [{ samples, refused, unanswered }] = (await once(this.#worker, 'message')) as [Taken];
    const sorted = samples.toSorted((a, b) => a - b);
    return {
      count: sorted.length,
      p99: sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0,
      slowest: sorted.at(-1) ?? 0,
      refused,
      unanswered,
    };
  }

  async stop(): Promise<void> {
    this.#worker.postMessage('end' satisfies ProbeAsk);
    await once(this.#worker, 'exit');
  }
}
