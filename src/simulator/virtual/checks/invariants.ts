import type { SetLimit } from '../../../control/limit-bodies.ts';
import type { Failure } from '../../../mailbox/failure.ts';
import type { StreamEvent } from '../../../protocol/events.ts';
import type { SchedulerSettings } from '../../../protocol/scheduler.ts';
import { normalizerHash } from '../../../tasks/data.ts';
import type { KatState } from '../kat/kat-state.ts';
import { Estimates } from './estimates.ts';
import { FairBound } from './fair-bound.ts';
import { Holders } from './holders.ts';
import type { Journal } from '../journal.ts';
import type { SimulatedQueue } from '../queue/simulated-queue.ts';
import type { Listener, Unit } from '../queue/scheduler-tasks.ts';
import type { StoredSchedule } from '../queue/stored-schedule.ts';
import { LimitsKept } from './limits-kept.ts';
import { Periods } from './periods.ts';
import { about, inMinutes, ooiOf, type Row } from '../queue/rows.ts';
import { latenessMs, type FaultTimes } from '../fault-times.ts';

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
  readonly limits: readonly SetLimit[];
}

/** At one in so many audits all pairs are looked at: what runs late shows when it runs. */
const auditsPerLook = 2;
/** Of raw files one in so many is looked at. */
const rawFilesPerLook = 10;

/**
 * What Rota promises, held against each decision of a simulation (docs/simulation.md has the list). It knows the world and what workers
 * see, and nothing of how Rota decides.
 */
export class Invariants implements Listener {
  readonly #options: InvariantsOptions;
  /** What workers see. */
  readonly holders: Holders;
  readonly #periods: Periods;
  readonly #limits: LimitsKept;
  readonly #events = new Map<StreamEvent, number>();
  readonly #bounds = new Map<string, FairBound>();
  /** By how much the database's clock was set. */
  #skewMs = 1_000;
  #rawFiles = 0;
  #audits = 0;
  #queue: SimulatedQueue | null = null;
  #estimates: Estimates | null = null;

  constructor(options: InvariantsOptions) {
    this.#options = options;
    this.holders = new Holders(options);
    this.#periods = new Periods(options);
    this.#limits = new LimitsKept(options.journal, options.limits, options.databaseNow);
  }

  watch(queue: SimulatedQueue): void {
    this.#queue = queue;
    this.#estimates = new Estimates({ ...this.#options, queue });
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
    const [head] = unit;
    this.#limits.claimed(unit);
    this.#estimates!.claimed(unit);
    if (this.#options.isFair(head!.scheduler)) this.#boundOf(head!.scheduler).claimed(unit);
    for (const row of unit) this.#mayRun(row);
  }

  #mayRun(row: Row): void {
    if (row.type !== 'boefje') return;
    const { journal, katState, faultTimes, now } = this.#options;
    const ooi = ooiOf(row.data);
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
    this.holders.changed(row);
    this.#bounds.get(row.scheduler)?.left(row);
    this.#estimates!.left(row);
    if (row.type !== 'boefje' || (row.status !== 'completed' && row.status !== 'failed')) return;
    this.#periods.ended(row);
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

  /** Of a task that is finished, and that the queue in memory forgot. */
  forgotten(id: string): void {
    this.holders.forget(id);
  }

  /** Asks when tasks start. */
  askForStarts(): void {
    this.#estimates!.sample();
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
    // What is finished is most of it, and is known by its state alone.
    for (const row of queue.byId.values())
      if (row.status === 'queued' && queue.of(row.scheduler).rows.byHash.get(row.hash) !== row)
        journal.violate('nothing-lost', `${about(row)} is queued and has no place in the queue`);
      else if ((row.status === 'dispatched' || row.status === 'running') && !queue.leases.has(row))
        journal.violate('nothing-lost', `${about(row)} has no lease`);
    for (const { rows } of queue.schedulers())
      for (const row of rows.byHash.values())
        if (row.status !== 'queued') journal.violate('nothing-lost', `${about(row)} is ${row.status} in the queue`);
    for (const row of queue.leases) {
      if (row.lease === null || (row.status !== 'dispatched' && row.status !== 'running'))
        return journal.violate('nothing-lost', `${about(row)} is ${row.status} among the leases`);
      const lateMs = databaseNow() - row.lease.until;
      if (lateMs > latenessMs + this.#skewMs + faultTimes.allowanceMs(now() - lateMs, 'any'))
        journal.violate('nothing-lost', `the lease of ${about(row)} is over since ${inMinutes(lateMs)}`);
    }
  }
}
