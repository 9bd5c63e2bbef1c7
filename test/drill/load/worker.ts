import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from 'nats';
import type { Answers } from '../answers.ts';
import type { Ledger } from '../ledger.ts';
import { askNats, connectNats } from '../wire.ts';

interface WorkerOptions {
  readonly servers: readonly string[];
  readonly name: string;
  readonly answers: Answers;
  readonly ledger: Ledger;
  readonly leaseMs: number;
  /** Tasks that it holds at most. */
  readonly slots: number;
  /** How long the next task takes. */
  workMs(): number;
}

interface Task {
  readonly id: string;
  readonly lease_id: string;
  readonly lease_until: string;
}

const waitMs = 2_000;
const pauseMs = 500;
/** Requests that may be repeated are repeated after this time, as docs/workers.md says: a lost request is a delay. */
const repeatAfterMs = 3_000;

/** A worker over NATS by docs/workers.md alone: pops, keeps its leases, reports, repeats what went unanswered. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #nats: NatsConnection;
  readonly #held = new Map<string, Task>();
  /** Leases whose end has been reported: a heartbeat finds them gone where that was carried out. */
  readonly #reported = new Set<string>();
  readonly #gone = new AbortController();
  readonly #heartbeat: NodeJS.Timeout;
  readonly #done: Promise<void>;
  #popping = true;

  private constructor(options: WorkerOptions, nats: NatsConnection) {
    this.#options = options;
    this.#nats = nats;
    this.#heartbeat = setInterval(() => void this.#renew(), options.leaseMs / 3);
    this.#done = this.#work();
  }

  static async start(options: WorkerOptions): Promise<Worker> {
    return new Worker(options, await connectNats(options.servers));
  }

  /** Pops no more, finishes what it has; what is left after `withinMs` is dropped. */
  async stop(withinMs: number): Promise<void> {
    this.#popping = false;
    await Promise.race([this.#done, delay(withinMs, null, { signal: this.#gone.signal }).catch(() => {})]);
    await this.kill();
  }

  /** It is gone at once, with all that it held. */
  async kill(): Promise<void> {
    this.#popping = false;
    this.#gone.abort();
    clearInterval(this.#heartbeat);
    await this.#nats.close().catch(() => {});
  }

  async #work(): Promise<void> {
    const working = new Set<Promise<void>>();
    while (this.#popping) {
      const tasks = this.#held.size < this.#options.slots ? await this.#pop() : null;
      for (const task of tasks ?? []) {
        const work = this.#do(task).finally(() => working.delete(work));
        working.add(work);
      }
      if (tasks === null) await this.#sleep(pauseMs);
    }
    await Promise.all(working);
  }

  /** Null where there is to be a pause. */
  async #pop(): Promise<readonly Task[] | null> {
    const { answers, ledger, leaseMs, name } = this.#options;
    const sentAt = Date.now();
    const body = { limit: 1, wait_ms: waitMs, lease_ms: leaseMs, worker: name };
    const answer = await askNats(this.#nats, answers, {
      kind: 'pop',
      scheduler: 'boefje',
      waitMs,
      gone: this.#gone.signal,
      body,
    });
    if (answer.outcome !== 'ok' || this.#gone.signal.aborted) return null;
    const { results } = answer.body as { results: Task[] };
    for (const { id, lease_id, lease_until } of results) {
      const leaseUntil = Date.parse(lease_until);
      ledger.handOut({ task: id, lease: lease_id, leaseMs, sentAt, receivedAt: Date.now(), leaseUntil });
    }
    return results;
  }

  async #do(task: Task): Promise<void> {
    this.#held.set(task.lease_id, task);
    await this.#sleep(this.#options.workMs());
    this.#reported.add(task.lease_id);
    while (this.#held.has(task.lease_id) && !this.#gone.signal.aborted) {
      await this.#report(task);
      if (this.#held.has(task.lease_id)) await this.#sleep(pauseMs);
    }
  }

  async #report(task: Task): Promise<void> {
    const { answers, ledger } = this.#options;
    const body = { id: task.id, lease_id: task.lease_id, status: 'completed' };
    const asked = askNats(this.#nats, answers, { kind: 'patch', gone: this.#gone.signal, body });
    const answer = await Promise.race([asked, this.#sleep(repeatAfterMs)]);
    if (this.#gone.signal.aborted) return;
    // Refused is not done; without an answer it may be.
    if (!answer || answer.outcome === 'silent' || answer.outcome === 'cut') ledger.doubt(task.lease_id);
    else if (answer.outcome === 'ok') ledger.complete(task.id, task.lease_id);
    else if (answer.status === 409) ledger.lose(task.lease_id);
    if (answer?.outcome === 'ok' || answer?.status === 409) this.#held.delete(task.lease_id);
  }

  /** Sends the turn's heartbeat again while no answer comes: a link that is half dead swallows every second one. */
  async #renew(): Promise<void> {
    const turnEndsAt = Date.now() + this.#options.leaseMs / 3;
    let answered = false;
    while (!answered && !this.#gone.signal.aborted && Date.now() < turnEndsAt) {
      const pause = this.#sleep(this.#options.leaseMs / 12);
      const asked = this.#sendHeartbeat().then(async (was) => {
        answered ||= was;
        if (!was) await pause;
      });
      await Promise.race([asked, pause]);
    }
  }

  /** Whether it was answered. */
  async #sendHeartbeat(): Promise<boolean> {
    const { answers, ledger, leaseMs } = this.#options;
    const held = [...this.#held.values()];
    if (held.length === 0) return true;
    const sentAt = Date.now();
    const body = { leases: held.map(({ id, lease_id }) => ({ id, lease_id })), lease_ms: leaseMs };
    const answer = await askNats(this.#nats, answers, { kind: 'heartbeat', gone: this.#gone.signal, body });
    if (answer.outcome !== 'ok' || this.#gone.signal.aborted) return false;
    const { renewed, lost } = answer.body as { renewed: string[]; lost: string[] };
    for (const { id, lease_id } of held) {
      if (renewed.includes(id)) ledger.renew(lease_id, sentAt, leaseMs);
      if (lost.includes(id) && !this.#reported.has(lease_id) && this.#held.delete(lease_id)) ledger.lose(lease_id);
    }
    return true;
  }

  async #sleep(ms: number): Promise<void> {
    await delay(ms, null, { signal: this.#gone.signal }).catch(() => {});
  }
}
