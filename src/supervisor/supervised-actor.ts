import { within } from '../deadline.ts';
import { isOutage } from '../errors.ts';
import { type Failure, mailboxFailure } from '../mailbox/failure.ts';
import { emit } from '../telemetry/events.ts';
import { ActorThread, type ThreadOptions } from './actor-thread.ts';
import type { ActorPhase, ActorStatus } from './supervision.ts';
import { time } from '../time-and-chance.ts';

/** The supervisor's clock; tests bring their own. */
export interface Timers {
  /** Epoch milliseconds of a monotonic clock: a step would lose restarts, or count them twice. */
  now(): number;
  /** @returns a function that cancels it */
  after(ms: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  now: () => performance.timeOrigin + time.monotonicMs(),
  after: (ms, run) => {
    const timer = time.setTimeout(run, ms);
    return () => time.clearTimeout(timer);
  },
};

/** When a failed actor is restarted: exponential back-off with jitter, within an intensity; then a try a minute. */
interface RestartPolicy {
  /** Restarts within `withinMs`; one more failure takes the actor down. */
  readonly intensity: number;
  readonly withinMs: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Between the tries of an actor that is down. */
  readonly downRetryMs: number;
}

export const defaultRestartPolicy: RestartPolicy = {
  intensity: 5,
  withinMs: 60_000,
  firstDelayMs: 200,
  maxDelayMs: 10_000,
  downRetryMs: 60_000,
};

interface RestartHistory {
  /** When it failed within the last `withinMs`, oldest first; epoch milliseconds. */
  readonly failures: readonly number[];
  /** Failures caused by an outage: they only lengthen the back-off. */
  readonly outages: readonly number[];
  readonly down: boolean;
}

export const noFailures: RestartHistory = { failures: [], outages: [], down: false };

export interface Supervising {
  readonly policy: RestartPolicy;
  readonly timers: Timers;
  readonly random: () => number;
  /** For the answer to the first ping: it includes the imports of a cold, busy machine. */
  readonly startWithinMs: number;
  readonly pingEveryMs: number;
  /** Two pings in a row not answered within it end the thread: one alone may be a stall of the main thread. */
  readonly pingWithinMs: number;
}

export const defaultPings = { startWithinMs: 30_000, pingEveryMs: 3_000, pingWithinMs: 5_000 };

const askedToStop: Failure = { code: 'STOPPED', message: 'asked to stop', retryable: false };

/** One actor over all its threads: started, watched by pings, restarted after failures, drained. */
export class SupervisedActor {
  readonly name: string;
  readonly #options: ThreadOptions;
  readonly #supervising: Supervising;
  #thread: ActorThread | null = null;
  #phase: ActorPhase = 'stopped';
  /** By time.monotonicMs(). */
  #phaseFrom = time.monotonicMs();
  /** Drained or terminated: nothing is started any more. */
  #final = false;
  #history = noFailures;
  #restarts = 0;
  #retry: { readonly at: number; readonly cancel: () => void } | null = null;
  #lastFailure: Failure | null = null;
  #restarting: Promise<void> | null = null;

  constructor(options: ThreadOptions, supervising: Supervising) {
    this.name = options.actor;
    this.#options = options;
    this.#supervising = supervising;
  }

  /** The thread that runs now; null between threads. */
  get thread(): ActorThread | null {
    return this.#thread;
  }

  start(): void {
    if (this.#phase === 'stopped' && !this.#final) this.#spawn();
  }

  status(): ActorStatus {
    return {
      name: this.name,
      phase: this.#phase,
      phaseSeconds: (time.monotonicMs() - this.#phaseFrom) / 1_000,
      restarts: this.#restarts,
      retryAt: this.#retry?.at ?? null,
      lastFailure:
        this.#lastFailure === null ? null : { code: this.#lastFailure.code, message: this.#lastFailure.message },
    };
  }

  /**
   * Drains its thread, then starts anew with a clean history: an operator's restart is no failure. Two concurrent calls
   * share one restart: otherwise each would start a thread, and the first one would run on unsupervised.
   */
  restart(withinMs: number): Promise<void> {
    this.#restarting ??= this.#startAnew(withinMs).finally(() => (this.#restarting = null));
    return this.#restarting;
  }

  async #startAnew(withinMs: number): Promise<void> {
    await this.#end((thread) => emptyAndStop(thread, withinMs));
    if (this.#final || this.#phase !== 'stopped') return;
    this.#history = noFailures;
    this.#restarts += 1;
    this.#spawn();
  }

  /** For good: empties the mailbox, ends the thread and waits until its requests are answered. Bounded. */
  async drain(withinMs: number): Promise<void> {
    this.#final = true;
    await this.#end((thread) => emptyAndStop(thread, withinMs));
  }

  /** At once, and for good: work in hand comes back through leases and acknowledgements. */
  async terminate(): Promise<void> {
    this.#final = true;
    await this.#end((thread) => thread.end(askedToStop));
  }

  async #end(how: (thread: ActorThread) => Promise<void>): Promise<void> {
    this.#enter('draining');
    this.#retry?.cancel();
    this.#retry = null;
    if (this.#thread !== null) await how(this.#thread);
    this.#enter('stopped');
  }

  #enter(phase: ActorPhase): void {
    if (phase !== this.#phase) this.#phaseFrom = time.monotonicMs();
    this.#phase = phase;
  }

  #spawn(): void {
    this.#retry = null;
    // An actor that is down stays so until a try has lived long enough: see afterFailure.
    this.#enter(this.#history.down ? 'down' : 'starting');
    const thread = new ActorThread(this.#options);
    this.#thread = thread;
    void this.#watch(thread, this.#supervising.timers.now());
    void this.#keepPinging(thread);
  }

  async #watch(thread: ActorThread, startedAt: number): Promise<void> {
    const failure = await thread.ended;
    this.#thread = null;
    emit({ name: 'actor.stopped', actor: this.name, code: failure.code, message: failure.message });
    if (this.#phase === 'draining') return;
    this.#lastFailure = failure;
    const { policy, timers, random } = this.#supervising;
    const now = timers.now();
    const ended = { now, livedMs: now - startedAt, outage: isOutage(failure) };
    const { history, delayMs } = afterFailure(this.#history, ended, random(), policy);
    this.#history = history;
    this.#enter(history.down ? 'down' : 'restarting');
    this.#retry = { at: now + delayMs, cancel: timers.after(delayMs, () => this.#respawn()) };
    if (history.down) emit({ name: 'actor.gave-up', actor: this.name, restarts: this.#restarts, retryInMs: delayMs });
  }

  #respawn(): void {
    this.#restarts += 1;
    this.#spawn();
  }

  async #keepPinging(thread: ActorThread): Promise<void> {
    const { startWithinMs, pingEveryMs, pingWithinMs } = this.#supervising;
    if (!(await this.#answersPing(thread, startWithinMs))) return;
    if (this.#phase === 'starting' || this.#phase === 'down') this.#enter('running');
    emit({ name: 'actor.started', actor: this.name, restarts: this.#restarts });
    do await within(thread.ended, pingEveryMs).catch(() => null);
    while (await this.#answersPing(thread, pingWithinMs));
  }

  /** False when the thread has ended, by itself or because it left two pings unanswered. */
  async #answersPing(thread: ActorThread, withinMs: number): Promise<boolean> {
    for (let tries = 0; tries < 2; tries++) {
      const { outcome } = await thread.inbox.ping(withinMs);
      if (outcome !== 'timeout') return outcome === 'reply';
    }
    await thread.end(mailboxFailure('ASK_TIMEOUT', `two pings unanswered for ${withinMs} ms each`));
    return false;
  }
}

async function emptyAndStop(thread: ActorThread, withinMs: number): Promise<void> {
  const deadline = time.monotonicMs() + withinMs;
  // At least a second: a slow handler must not cut short the end of the thread and the commit of its requests.
  const left = () => Math.max(deadline - time.monotonicMs(), 1_000);
  await thread.inbox.drain(withinMs);
  await thread.stop(askedToStop, left());
  await thread.settleRequests(left());
}

/**
 * What follows a failure at `now` of an actor that lived for `livedMs`. An actor that is down stays so until a try has
 * lived for `withinMs`. An outage never takes an actor down. `random` is in [0, 1): the delay is between half of its bound
 * and all of it, so that actors that failed together do not come back together.
 */
export function afterFailure(
  history: RestartHistory,
  failure: { readonly now: number; readonly livedMs: number; readonly outage?: boolean },
  random: number,
  policy: RestartPolicy,
): { readonly history: RestartHistory; readonly delayMs: number } {
  const { now, livedMs, outage = false } = failure;
  const recent = (times: readonly number[]) => times.filter((at) => at > now - policy.withinMs);
  const failures = [...recent(history.failures), ...(outage ? [] : [now])];
  const outages = [...recent(history.outages), ...(outage ? [now] : [])];
  const stillDown = history.down && livedMs < policy.withinMs;
  if (stillDown || failures.length > policy.intensity)
    return { history: { failures, outages, down: true }, delayMs: policy.downRetryMs };
  const bound = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (failures.length + outages.length - 1));
  return { history: { failures, outages, down: false }, delayMs: Math.round(bound * (0.5 + random / 2)) };
}
