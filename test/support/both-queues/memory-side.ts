import type { TaskRanking } from '../../../src/queue/push/rank.ts';
import { VirtualClock } from '../../../src/simulator/virtual/clock.ts';
import type { SetLimit } from '../../../src/control/limit-bodies.ts';
import { MemorySchedules } from '../../../src/simulator/virtual/queue/memory-schedules.ts';
import { createMemoryStore } from '../../../src/simulator/virtual/queue/memory-store.ts';
import { rankedPush } from '../../../src/simulator/virtual/queue/ranked-push.ts';
import type { Row } from '../../../src/simulator/virtual/queue/rows.ts';
import { Settlement } from '../../../src/simulator/virtual/queue/settlement.ts';
import { SimulatedQueue } from '../../../src/simulator/virtual/queue/simulated-queue.ts';
import { parkedAt, type QueueSide, type State, type TaskState } from './side.ts';

export interface SideOptions {
  readonly scheduler: string;
  /** In epoch milliseconds; by which rankers and what measures time go, too. */
  readonly clock: { now: number };
  /** Epoch milliseconds. */
  readonly began: number;
  readonly ranking: TaskRanking;
  readonly limits: readonly SetLimit[];
  readonly settings: { readonly gracePeriodSeconds: number; readonly jitterSeconds: number };
  readonly maxAttempts: number;
  readonly retryMs: number;
}

/** A supervisor that is heard of says so at least as often. */
const presentMs = 3_000;
/** Of what is finished: less than in a simulation, so that it is tried often. */
const forgottenAfterMs = 60_000;

/** The queue in memory, on a virtual clock of its own. */
export class MemorySide implements QueueSide {
  readonly scheduler: string;
  readonly clock: VirtualClock;
  readonly store: QueueSide['store'];
  readonly #options: SideOptions;
  readonly #queue: SimulatedQueue;
  readonly #settlement: Settlement;
  readonly #schedules: MemorySchedules;
  #happened: number[] = [];

  constructor(options: SideOptions) {
    const { scheduler, began, ranking, limits, settings, maxAttempts, retryMs } = options;
    this.scheduler = scheduler;
    this.#options = options;
    this.clock = new VirtualClock(began);
    const now = () => this.clock.now;
    this.#schedules = new MemorySchedules({ now, ...settings, changed: () => {} });
    this.#queue = new SimulatedQueue({
      now,
      policyOf: (of) => ranking.policyOf(of),
      typeOf: () => 'boefje',
      schedules: this.#schedules,
      maxSize: 0,
      happened: { queued: () => {}, claimed: () => {}, changed: () => {} },
      after: (ms, run) =>
        this.clock.after(ms, () => {
          const before = this.#places();
          run();
          if (this.#places() !== before) this.#happened.push(this.clock.now);
        }),
      limits,
      freed: () => {},
    });
    const { gracePeriodSeconds } = settings;
    this.#settlement = new Settlement({ queue: this.#queue, maxAttempts, retryMs, gracePeriodSeconds });
    this.store = createMemoryStore({ queue: this.#queue, schedules: this.#schedules, settlement: this.#settlement });
  }

  /** Where rows stand that a limit may concern. */
  #places(): string {
    if (this.#options.limits.length === 0) return '';
    return JSON.stringify([...this.#queue.byId.values()].map(({ held, limits, parkedAt: at }) => [held, limits, at]));
  }

  /** @returns when the releaser moved something meanwhile */
  async pass(ms: number, isPresent: boolean): Promise<readonly number[]> {
    this.#happened = [];
    const until = this.clock.now + ms;
    while (isPresent && this.clock.now < until) {
      await this.clock.run(Math.min(until, this.clock.now + presentMs), () => false);
      this.#settlement.present();
    }
    await this.clock.run(until, () => false);
    return this.#happened;
  }

  /** @returns the ids of what it forgot */
  forgetFinished(): readonly string[] {
    const forgotten: string[] = [];
    this.#queue.forgetFinished(this.clock.now - forgottenAfterMs, (id) => forgotten.push(id));
    return forgotten;
  }

  push(tasks: Parameters<QueueSide['push']>[0]) {
    return rankedPush(this.#queue, this.#options.ranking, this.scheduler, tasks);
  }

  async pop(units: number, leaseMs: number) {
    const claimed = this.#queue.of(this.scheduler).claim({ units, leaseMs, via: 'nats', worker: 'worker-1' });
    return claimed.flatMap((unit, at) =>
      unit.map(({ id, attempts, lease }) => ({
        id,
        unit: at + 1,
        attempts,
        leaseId: lease!.id,
        until: lease!.until,
      })),
    );
  }

  async patch(...[id, leaseId, status]: Parameters<QueueSide['patch']>) {
    const outcome = this.#settlement.apply({ id, leaseId, status });
    return outcome === 'repeated' ? 'done' : outcome;
  }

  async heartbeat(...[leases, leaseMs]: Parameters<QueueSide['heartbeat']>) {
    return this.#settlement.heartbeat(leases, leaseMs);
  }

  async giveBack({ id, leaseId }: Parameters<QueueSide['giveBack']>[0]) {
    this.#settlement.apply({ id, leaseId, status: 'queued', rota: true, unclaimed: true });
  }

  async round() {
    this.#settlement.round();
  }

  async pause(key: Parameters<QueueSide['pause']>[0]) {
    if (!this.#queue.hasPause(key)) this.#queue.pause(key);
  }

  async resume(key: Parameters<QueueSide['resume']>[0]) {
    return this.#queue.resume(key);
  }

  async weigh(organisation: string, weight: number) {
    this.#queue.weights.set(`${this.scheduler} ${organisation}`, weight);
  }

  async state(): Promise<State> {
    const rows = [...this.#queue.byId.values()].toSorted((a, b) => a.number - b.number);
    const schedules = [...this.#schedules.byHash.values()].toSorted((a, b) => (a.hash < b.hash ? -1 : 1));
    return {
      tasks: rows.map(taskOf),
      schedules: schedules.map((schedule) => {
        const { hash, enabled, disabledReason, inherited, deadlineAt, intervalDeadline, askedDeadline } = schedule;
        return {
          hash,
          enabled,
          disabledReason,
          schedule: schedule.schedule,
          inherited,
          deadlineAt,
          intervalDeadline,
          askedDeadline,
          claimedUntil: schedule.claimedUntil,
        };
      }),
    };
  }
}

function taskOf(row: Row): TaskState {
  const { id, status, attempts, unbegun, reason, modifiedAt, rank, held, limits, lease } = row;
  return {
    id,
    status,
    attempts,
    unbegun,
    reason,
    modifiedAt,
    queued: status === 'queued' ? { rank, held, limits, parked: parkedAt(row.parkedAt) } : null,
    lease:
      lease === null
        ? null
        : {
            leaseId: lease.via === 'nats' ? lease.id : null,
            via: lease.via,
            until: lease.until,
            renewedAt: lease.renewedAt,
            askedMs: lease.askedMs,
            begun: lease.begun || status === 'running',
          },
  };
}
