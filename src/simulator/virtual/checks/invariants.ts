import type { Failure } from '../../../mailbox/failure.ts';
import type { StreamEvent } from '../../../protocol/events.ts';
import type { SchedulerSettings } from '../../../protocol/scheduler.ts';
import { normalizerHash } from '../../../tasks/data.ts';
import { isFinished } from '../../../tasks/task.ts';
import type { KatState } from '../kat/kat-state.ts';
import { FairBound } from './fair-bound.ts';
import type { Journal } from '../journal.ts';
import type { SimulatedQueue } from '../queue/simulated-queue.ts';
import type { Listener, Unit } from '../queue/scheduler-tasks.ts';
import type { StoredSchedule } from '../queue/stored-schedule.ts';
import { LimitsKept } from './limits-kept.ts';
import type { SimulatedLimit } from '../queue/limiter.ts';
import { Periods } from './periods.ts';
import { about, inMinutes, type Row } from '../queue/rows.ts';
import type { Outcome } from '../queue/settlement.ts';
import { latenessMs, type FaultTimes } from '../fault-times.ts';
import { leaseMs, type WorkerWitness } from '../workers.ts';

interface InvariantsOptions {
  readonly journal: Journal;
  readonly katState: KatState;
  readonly faultTimes: FaultTimes;
  readonly settings: SchedulerSettings;
  readonly maxAttempts: number;
  /** Virtual time, and the database's. */
  readonly now: () => number;
  readonly databaseNow: () => number;
  /** When the simulation begins. */
  readonly began: number;
  readonly isFair: (scheduler: string) => boolean;
  readonly limits: readonly SimulatedLimit[];
}

/** Who holds a task, as workers saw it. */
interface Holder {
  readonly worker: string;
  readonly leaseId: string;
  until: number;
  over: boolean;
}

/** At one in so many audits all pairs are looked at: what runs late shows when it runs. */
const auditsPerLook = 2;
/** Of raw files one in so many is looked at. */
const rawFilesPerLook = 10;

/**
 * What Rota promises, held against each decision of a simulation (docs/simulation.md has the list). It knows the world and what workers
 * see, and nothing of how Rota decides.
 */
export class Invariants implements Listener, WorkerWitness {
  readonly #options: InvariantsOptions;
  readonly #holders = new Map<string, Holder>();
  readonly #periods: Periods;
  readonly #limits: LimitsKept;
  readonly #events = new Map<StreamEvent, number>();
  readonly #bounds = new Map<string, FairBound>();
  /** By how much the database's clock was set. */
  #skewMs = 1_000;
  #rawFiles = 0;
  #audits = 0;
  #queue: SimulatedQueue | null = null;

  constructor(options: InvariantsOptions) {
    this.#options = options;
    this.#periods = new Periods(options);
    this.#limits = new LimitsKept(options.journal, options.limits, options.databaseNow);
  }

  watch(queue: SimulatedQueue): void {
    this.#queue = queue;
  }

  /** What claims raised is lost: what waits may be overtaken once. */
  supervisorDied(): void {
    for (const bound of this.#bounds.values()) bound.forget();
  }

  queued(row: Row, again: boolean): void {
    const { isFair } = this.#options;
    if (isFair(row.scheduler)) this.#boundOf(row.scheduler).queued(row, again);
    if (again || row.type !== 'boefje') return;
    this.#periods.queued(row);
  }

  #boundOf(scheduler: string): FairBound {
    const known = this.#bounds.get(scheduler);
    if (known !== undefined) return known;
    const bound = new FairBound(this.#options.journal);
    this.#bounds.set(scheduler, bound);
    return bound;
  }

  clockStepped(ms: number): void {
    this.#skewMs += Math.abs(ms);
    this.#periods.clockStepped(ms);
    this.#limits.clockStepped();
  }

  claimed(unit: Unit): void {
    const { journal, isFair, maxAttempts } = this.#options;
    const [head] = unit;
    this.#limits.claimed(unit);
    if (isFair(head!.scheduler)) this.#boundOf(head!.scheduler).claimed(unit);
    for (const row of unit) {
      if (row.attempts > maxAttempts)
        journal.violate('retries', `${about(row)} is handed out for the ${row.attempts}th time`);
      this.#mayRun(row);
    }
  }

  #mayRun(row: Row): void {
    if (row.type !== 'boefje') return;
    const { journal, katState, faultTimes, now } = this.#options;
    const { input_ooi: ooi = null } = row.data as { input_ooi?: string | null };
    const refusal = katState.refusalOf(row.organisation, row.plugin!, ooi);
    if (refusal === null) return;
    const since = katState.since(row.organisation, row.plugin!, ooi) ?? 0;
    const lateMs = now() - since;
    if (lateMs > latenessMs + faultTimes.allowanceMs(since, 'outages'))
      journal.violate(
        'permission',
        `${about(row)} is handed out ${inMinutes(lateMs)} after its permission ended: ${refusal}`,
      );
  }

  changed(row: Row, was: Row['status']): void {
    const wasUnderWay = was === 'dispatched' || was === 'running';
    if (wasUnderWay && row.lease === null) this.#limits.left(row);
    const holder = this.#holders.get(row.id);
    // What goes back to the queue before its lease is over may be in the hands of its worker still.
    if (holder !== undefined && isFinished(row.status)) holder.over = true;
    this.#bounds.get(row.scheduler)?.left(row);
    if (row.type !== 'boefje' || (row.status !== 'completed' && row.status !== 'failed')) return;
    this.#periods.ended(row);
  }

  handed(row: Row, worker: string, leaseId: string): void {
    const { journal, databaseNow } = this.#options;
    const before = this.#holders.get(row.id);
    if (before !== undefined && !before.over && before.until > databaseNow())
      journal.violate('one-holder', `${about(row)} is handed to ${worker} while ${before.worker} holds it`);
    this.#holders.set(row.id, { worker, leaseId, until: databaseNow() + leaseMs, over: false });
  }

  renewed(row: Row, leaseId: string): void {
    const holder = this.#holders.get(row.id);
    if (holder?.leaseId !== leaseId)
      this.#options.journal.violate('fencing', `a lease of ${about(row)} is renewed that is not the last one`);
    holder.until = this.#options.databaseNow() + leaseMs;
  }

  reported(row: Row, leaseId: string, status: string, answer: Outcome): void {
    const holder = this.#holders.get(row.id);
    if (answer === 'done' && holder?.leaseId !== leaseId)
      this.#options.journal.violate('fencing', `${about(row)} becomes ${status} by a lease that is not the last one`);
  }

  scheduled(schedule: StoredSchedule): void {
    const { enabled, deadlineAt, boefje, organisation, ooi } = schedule;
    if (enabled && deadlineAt === null && boefje !== null)
      this.#options.journal.violate(
        'deadline',
        `the schedule of ${boefje} on ${ooi} in ${organisation} has no deadline`,
      );
  }

  published(event: StreamEvent): void {
    this.#events.set(event, this.#options.now());
  }

  settled(event: StreamEvent, failure: Failure | null): void {
    const { journal } = this.#options;
    if (!this.#events.delete(event)) journal.violate('events', `an event is settled twice: ${event.kind}`);
    if (failure !== null) journal.violate('events', `an event is given up: ${event.kind}: ${failure.message}`);
    if (event.kind === 'raw-file-received' && (this.#rawFiles += 1) % rawFilesPerLook === 0) this.#isParsed(event);
  }

  #isParsed(event: Extract<StreamEvent, { kind: 'raw-file-received' }>): void {
    const { katState, journal } = this.#options;
    const types = new Set(event.rawData.mime_types.map(({ value }) => value));
    const meta = event.rawData.boefje_meta;
    const tasks = this.#queue!.of('normalizer');
    for (const plugin of katState.world.organisations.get(event.organisation)?.plugins.values() ?? []) {
      if (plugin.type !== 'normalizer' || !plugin.enabled || !plugin.consumes.some((type) => types.has(type))) continue;
      const hash = normalizerHash({ normalizerId: plugin.id, boefjeMetaId: meta.id, organisation: meta.organization });
      if (tasks.latest(hash) === undefined)
        journal.violate(
          'events',
          `${plugin.id} does not parse the raw file of ${meta.boefje.id} in ${meta.organization}`,
        );
    }
  }

  /** Of a task that retention removed. */
  forgotten(id: string): void {
    this.#holders.delete(id);
  }

  /** What holds of all that there is, looked at now and then. */
  audit(): void {
    this.#nothingIsLost();
    if ((this.#audits += 1) % auditsPerLook === 0) this.#periods.audit();
    const now = this.#options.now();
    for (const [event, at] of this.#events) {
      if (now - at <= latenessMs + this.#options.faultTimes.allowanceMs(at, 'outages')) break;
      this.#options.journal.violate('events', `an event is not settled after ${inMinutes(now - at)}: ${event.kind}`);
    }
  }

  #nothingIsLost(): void {
    const { journal, databaseNow, faultTimes, now } = this.#options;
    const queue = this.#queue!;
    for (const row of queue.byId.values()) {
      const isQueued = queue.of(row.scheduler).rows.byHash.get(row.hash) === row;
      if ((row.status === 'queued') !== isQueued) journal.violate('nothing-lost', `${about(row)} is ${row.status}`);
      const isUnderWay = row.status === 'dispatched' || row.status === 'running';
      if (isUnderWay !== queue.leases.has(row)) journal.violate('nothing-lost', `${about(row)} has no lease`);
      if (row.lease === null) continue;
      const lateMs = databaseNow() - row.lease.until;
      if (lateMs > latenessMs + this.#skewMs + faultTimes.allowanceMs(now() - lateMs, 'any'))
        journal.violate('nothing-lost', `the lease of ${about(row)} is over since ${inMinutes(lateMs)}`);
    }
  }
}
