import type { Random } from '../random.ts';
import type { VirtualClock } from './clock.ts';
import type { KatState } from './kat/kat-state.ts';
import type { SimulatedQueue } from './queue/simulated-queue.ts';
import type { Unit } from './queue/scheduler-tasks.ts';
import { ooiOf, type Row } from './queue/rows.ts';
import type { Outcome, Settlement } from './queue/settlement.ts';

/** How a worker goes wrong over a unit, if it does. */
export type Lapse = 'dies' | 'falls-silent' | 'never-begins';

/** What workers see; independent of the queue's records, so that it can contradict them. */
export interface WorkerWitness {
  handed(row: Row, worker: string, leaseId: string): void;
  renewed(row: Row, leaseId: string): void;
  /** The queue answered a report. */
  reported(row: Row, leaseId: string, status: 'running' | 'completed' | 'failed', answer: Outcome): void;
}

interface WorkersOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly queue: SimulatedQueue;
  readonly settlement: Settlement;
  readonly katState: KatState;
  readonly witness: WorkerWitness;
  /** Workers of each scheduler. */
  readonly counts: Readonly<Record<string, number>>;
  /** Share of tasks that fail. */
  readonly fail: number;
  /** Whether the queue can be reached. */
  readonly isReachable: () => boolean;
  /** Decides over each unit. */
  readonly lapse: (unit: Unit) => Lapse | null;
}

interface Worker {
  readonly name: string;
  readonly scheduler: string;
}

/** How long the work on a unit takes, in seconds. */
const workSeconds: Readonly<Record<string, readonly [number, number]>> = {
  boefje: [2, 60],
  normalizer: [1, 4],
  report: [5, 30],
};
/** Of each lease that a worker asks for or renews. */
export const leaseMs = 60_000;
/** Between tries of a report that cannot be delivered. */
const pauseMs = 2_000;
/** Until a dead worker is replaced. */
const replacedMs = 5_000;
/** A share of normalizer tasks find an object, until none is left. */
const findsObject = 1 / 3;

/** Workers over NATS that never wait for anything but virtual time: they pop a unit, begin it, renew its leases and report. */
export class Workers {
  readonly #options: WorkersOptions;
  readonly #idle = new Map<string, Worker[]>();
  readonly #served = new Set<string>();
  #names = 0;

  constructor(options: WorkersOptions) {
    this.#options = options;
    for (const [scheduler, count] of Object.entries(options.counts))
      for (let number = 0; number < count; number += 1) this.#hire(scheduler);
  }

  #hire(scheduler: string): void {
    this.#park({ name: `${scheduler}-${(this.#names += 1)}`, scheduler });
  }

  /** Something may be popped: the pops that wait look, once for all that come at this moment. */
  wake(scheduler: string): void {
    if (this.#served.has(scheduler)) return;
    this.#served.add(scheduler);
    this.#options.clock.after(1, () => {
      this.#served.delete(scheduler);
      this.#serve(scheduler);
    });
  }

  #park(worker: Worker): void {
    const idle = this.#idle.get(worker.scheduler);
    if (idle === undefined) this.#idle.set(worker.scheduler, [worker]);
    else idle.push(worker);
    this.wake(worker.scheduler);
  }

  #serve(scheduler: string): void {
    const { queue, clock, isReachable, witness } = this.#options;
    const idle = this.#idle.get(scheduler) ?? [];
    if (idle.length === 0 || queue.of(scheduler).rows.ready === 0) return;
    if (!isReachable()) {
      clock.after(pauseMs, () => this.wake(scheduler));
      return;
    }
    while (idle.length > 0) {
      const worker = idle[0]!;
      const [unit] = queue.of(scheduler).claim({ units: 1, leaseMs, via: 'nats', worker: worker.name });
      if (unit === undefined) return;
      idle.shift();
      const held = unit.map((row) => ({ row, leaseId: row.lease!.id }));
      for (const { row, leaseId } of held) witness.handed(row, worker.name, leaseId);
      this.#begin(worker, unit, held);
    }
  }

  #begin(worker: Worker, unit: Unit, held: readonly Held[]): void {
    const { clock, random, lapse } = this.#options;
    const how = lapse(unit);
    if (how === 'never-begins') return this.#die(worker);
    clock.after(1 + random.integer(5), () => {
      if (how === 'dies') {
        this.#report(held[0]!, 'running', () => this.#die(worker));
        return;
      }
      this.#work({ worker, held, at: 0, isSilent: how === 'falls-silent', startedAt: clock.now });
    });
  }

  #die(worker: Worker): void {
    this.#options.clock.after(replacedMs, () => this.#hire(worker.scheduler));
  }

  /** One task of the unit after the other. */
  #work(job: Job): void {
    const { clock, random } = this.#options;
    const held = job.held[job.at];
    if (held === undefined) return this.#park(job.worker);
    const [least, most] = workSeconds[job.worker.scheduler] ?? [1, 5];
    const next = () => this.#work({ ...job, at: job.at + 1, startedAt: clock.now });
    this.#report(held, 'running', (answer) => {
      if (answer !== 'done') return next();
      const ms = (least + random.next() * (most - least)) * 1_000 * (job.isSilent ? 20 : 1);
      if (!job.isSilent) this.#beat(job, clock.now + ms);
      clock.after(ms, () => this.#end(held, job.startedAt, next));
    });
  }

  /** Renews what is left of the unit, by thirds of its lease. */
  #beat(job: Job, until: number): void {
    const { clock, settlement, witness, isReachable } = this.#options;
    if (clock.now + leaseMs / 3 >= until) return;
    clock.after(leaseMs / 3, () => {
      if (isReachable()) {
        const left = job.held.slice(job.at);
        const renewed = new Set(
          settlement.heartbeat(
            left.map(({ row, leaseId }) => ({ id: row.id, leaseId })),
            leaseMs,
          ),
        );
        for (const { row, leaseId } of left) if (renewed.has(row.id)) witness.renewed(row, leaseId);
      }
      this.#beat(job, until);
    });
  }

  #end(held: Held, startedAt: number, next: () => void): void {
    const { random, fail } = this.#options;
    const { row } = held;
    const failed = random.chance(fail);
    this.#report(held, failed ? 'failed' : 'completed', (answer) => {
      if (answer === 'done') this.#leave(row, failed, startedAt);
      next();
    });
  }

  /** What the work leaves behind in KAT. */
  #leave(row: Row, failed: boolean, startedAt: number): void {
    const { katState, random } = this.#options;
    if (row.type === 'boefje') {
      katState.store({
        id: row.id,
        boefje: row.plugin!,
        ooi: ooiOf(row.data),
        organisation: row.organisation,
        startedAt,
        failed,
      });
    } else if (row.type === 'normalizer' && !failed && random.chance(findsObject)) {
      const organisation = katState.world.organisations.get(row.organisation);
      if (organisation !== undefined) katState.discover(organisation);
    }
  }

  /** Again and again, until the queue has answered. */
  #report(held: Held, status: 'running' | 'completed' | 'failed', answered: (answer: Outcome) => void): void {
    const { clock, settlement, witness, isReachable } = this.#options;
    if (!isReachable()) {
      clock.after(pauseMs, () => this.#report(held, status, answered));
      return;
    }
    const { row, leaseId } = held;
    const answer = settlement.apply({ id: row.id, leaseId, status });
    witness.reported(row, leaseId, status, answer);
    answered(answer);
  }
}

interface Held {
  readonly row: Row;
  readonly leaseId: string;
}

interface Job {
  readonly worker: Worker;
  readonly held: readonly Held[];
  readonly at: number;
  /** It renews nothing, and its work takes long. */
  readonly isSilent: boolean;
  readonly startedAt: number;
}
