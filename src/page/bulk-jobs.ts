import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf, errorCodes, RotaError } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { ChangedTasks } from '../protocol/operator-lists.ts';

/**
 * Changes of more than one request takes, in steps of some hundred each, while people watch. They live in this process: what a job has
 * not done when its process ends stays as it is, and the same selection can be begun again.
 */

export interface BulkWork<Cursor = unknown> {
  /** `Cancel the queued tasks of org-7`. */
  readonly title: string;
  /** Of what it changed: `4 790 cancelled`. */
  readonly past: string;
  readonly by: string;
  readonly why: string | null;
  readonly expected: number;
  /** There may be more. */
  readonly expectedIsLeast: boolean;
  /** The page that shows what it changes. */
  readonly list: string;
  /** Facts for the audit. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Why it cannot be stopped; absent where it can. */
  readonly goesOn?: string;
  /** Does a part; harmless where it is repeated. `next`: where the next one begins, null at the end. */
  readonly step: (at: Cursor | null) => Promise<ChangedTasks & { readonly next: Cursor | null }>;
}

/** `failed`: a step was refused, or outages lasted too long. */
export type BulkState = 'runs' | 'done' | 'stopped' | 'failed';

export interface BulkJob extends Omit<BulkWork, 'step' | 'fields'> {
  readonly id: string;
  readonly state: BulkState;
  readonly stopping: boolean;
  readonly changed: number;
  readonly refusedCount: number;
  /** How many by the code of the refusal. */
  readonly reasons: ReadonlyMap<string, number>;
  /** The first of them. */
  readonly refused: ChangedTasks['refused'];
  /** Why it waits, or ended before it was done. */
  readonly trouble: string | null;
  /** ISO. */
  readonly began: string;
  readonly ended: string | null;
}

type Running = { -readonly [K in keyof BulkJob]: BulkJob[K] } & {
  reasons: Map<string, number>;
  refused: ChangedTasks['refused'][number][];
};

interface BulkOptions {
  /** The database's time, in epoch milliseconds. */
  readonly now: () => number;
  readonly audit: (command: string, by: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Before the first repeat of a failed step; it doubles. */
  readonly firstWaitMs?: number;
}

const mostAtOnce = 4;
/** With their lists of refused tasks some 40 kB each. */
const mostKept = 20;
const keptMs = 3_600_000;
const mostListed = 100;
const longestWaitMs = 30_000;
/** Longer than a failover of the database takes; who began the job should decide anew then. */
const outageMs = 900_000;

export class BulkJobs {
  readonly #options: Required<BulkOptions>;
  readonly #jobs = new Map<string, { readonly job: Running; readonly stop: AbortController; run: Promise<void> }>();
  #closed = false;

  constructor(options: BulkOptions) {
    this.#options = { firstWaitMs: 1_000, ...options };
  }

  /** Newest first. */
  list(): readonly BulkJob[] {
    this.#forget();
    return [...this.#jobs.values()].map(({ job }) => job).toReversed();
  }

  /** @throws RotaError NOT_FOUND */
  get(id: string): BulkJob {
    const found = this.list().find((job) => job.id === id);
    if (found !== undefined) return found;
    throw new RotaError(
      'NOT_FOUND',
      'there is no such bulk job: one is known for an hour, to the supervisor that runs it',
    );
  }

  /** @throws RotaError TOO_MANY_REQUESTS */
  begin<Cursor>({ step, fields, ...work }: BulkWork<Cursor>): BulkJob {
    this.#forget();
    const running = this.list().filter(({ state }) => state === 'runs');
    if (this.#closed || running.length >= mostAtOnce)
      throw new RotaError('TOO_MANY_REQUESTS', `${mostAtOnce} bulk jobs run already: wait for one, or stop it`);
    const job: Running = {
      ...work,
      id: randomUUID(),
      state: 'runs',
      stopping: false,
      changed: 0,
      refusedCount: 0,
      reasons: new Map(),
      refused: [],
      trouble: null,
      began: this.#time(),
      ended: null,
    };
    const { why, by, expected } = work;
    this.#options.audit('bulk-job', by, { job: job.id, ...fields, expected, ...(why === null ? {} : { why }) });
    const stop = new AbortController();
    this.#jobs.set(job.id, { job, stop, run: this.#run(job, step, stop.signal) });
    this.#forget();
    return job;
  }

  /** It ends after the step in hand. @throws RotaError NOT_FOUND */
  stop(id: string, by: string): BulkJob {
    const { state } = this.get(id);
    const { job, stop } = this.#jobs.get(id)!;
    if (state !== 'runs') throw new RotaError('CONFLICT', 'this bulk job has ended already');
    if (job.goesOn !== undefined) throw new RotaError('CONFLICT', job.goesOn);
    this.#options.audit('stop-job', by, { job: id, begun_by: job.by });
    job.stopping = true;
    job.trouble = `stopped by ${by}`;
    stop.abort();
    return job;
  }

  async end(): Promise<void> {
    this.#closed = true;
    const all = [...this.#jobs.values()];
    for (const { job, stop } of all) {
      if (job.state === 'runs') job.trouble ??= 'its supervisor ended';
      stop.abort();
    }
    await Promise.all(all.map(({ run }) => run));
  }

  async #run<Cursor>(job: Running, step: BulkWork<Cursor>['step'], stop: AbortSignal): Promise<void> {
    try {
      let at: Cursor | null = null;
      do {
        const part: Awaited<ReturnType<typeof step>> | null = await this.#repeated(job, () => step(at), stop);
        if (part === null) break;
        add(job, part);
        at = part.next;
        if (at === null) job.state = 'done';
      } while (at !== null && !stop.aborted);
      if (job.state === 'runs') job.state = 'stopped';
    } catch (error) {
      job.state = 'failed';
      job.trouble = failureOf(error).message;
    }
    job.ended = this.#time();
    const { id, by, state, changed, refusedCount: refused } = job;
    this.#options.audit('bulk-job', by, { job: id, state, tasks: changed, refused });
  }

  /** Until it succeeds; null where the job was stopped meanwhile. @throws what will not pass by waiting */
  async #repeated<T>(job: Running, ask: () => Promise<T>, stop: AbortSignal): Promise<T | null> {
    const giveUpAt = performance.now() + outageMs;
    for (let waitMs = this.#options.firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
      if (stop.aborted) return null;
      try {
        const answer = await ask();
        if (!stop.aborted) job.trouble = null;
        return answer;
      } catch (error) {
        const { family } = errorCodes[codeOf(error)];
        if (family === 'refused' || family === 'broken' || performance.now() > giveUpAt) throw error;
        if (!stop.aborted) job.trouble = `waits: ${failureOf(error).message}`;
        await delay(waitMs, undefined, { signal: stop }).catch(() => {});
      }
    }
  }

  /** Those that ended an hour ago, and the oldest beyond twenty. */
  #forget(): void {
    const ended = [...this.#jobs.values()].filter(({ job }) => job.ended !== null);
    const tooMany = this.#jobs.size - mostKept;
    for (const [at, { job }] of ended.entries()) {
      if (at < tooMany || this.#options.now() - Date.parse(job.ended!) > keptMs) this.#jobs.delete(job.id);
    }
  }

  #time(): string {
    return new Date(this.#options.now()).toISOString();
  }
}

function add(job: Running, { changed, refused }: ChangedTasks): void {
  job.changed += changed;
  job.refusedCount += refused.length;
  for (const { code } of refused) job.reasons.set(code, (job.reasons.get(code) ?? 0) + 1);
  job.refused.push(...refused.slice(0, mostListed - job.refused.length));
}
