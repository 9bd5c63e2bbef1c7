import type { DueSchedule, NewSchedule, NewTask, Recurrence, ScheduleSettlement } from '../../../protocol/requests.ts';
import type { DisabledReason } from '../../../tasks/task.ts';
import { chance } from '../../../time-and-chance.ts';
import { addTo } from './limiter.ts';
import { ooiOf } from './rows.ts';
import { Deadlines, dueOf, type StoredSchedule } from './stored-schedule.ts';

interface MemorySchedulesOptions {
  readonly now: () => number;
  readonly gracePeriodSeconds: number;
  readonly jitterSeconds: number;
  /** A schedule was made or changed. */
  readonly changed: (schedule: StoredSchedule) => void;
}

/** How long claim-due-schedules.sql gives an actor to settle what it claimed. */
const claimMs = 60_000;

/** The table `schedules` in memory, with the decisions of the statements in sql/queue/schedules and of push-schedules.sql. */
export class MemorySchedules {
  readonly byHash = new Map<string, StoredSchedule>();
  readonly byId = new Map<string, StoredSchedule>();
  readonly #ofOrganisation = new Map<string, Set<StoredSchedule>>();
  readonly #ofOoi = new Map<string, Set<StoredSchedule>>();
  readonly #deadlines = new Map<string, Deadlines>();
  readonly #options: MemorySchedulesOptions;

  constructor(options: MemorySchedulesOptions) {
    this.#options = options;
  }

  /** What a push makes of the schedule of its task: push-schedules.sql. @returns its id; null where it has none that is enabled */
  pushed(scheduler: string, task: NewTask, hash: string, isBoefje: boolean): string | null {
    const { recurrence = 'assumed' } = task;
    if (recurrence === 'none') return null;
    const known = this.byHash.get(hash);
    if (known !== undefined && (!known.enabled || known.scheduler !== scheduler)) return null;
    const of = { scheduler, organisation: task.organisation, hash, data: task.data };
    if (typeof recurrence === 'object') {
      if (known === undefined) return this.#insert(of, recurrence).id;
      if (recurrence.version != null && recurrence.version !== String(known.version)) return known.id;
      this.#follow(known, recurrence);
      return known.id;
    }
    const { now, gracePeriodSeconds, jitterSeconds } = this.#options;
    const delay = Math.round((gracePeriodSeconds + chance.random() * jitterSeconds) * 1_000);
    const deadlineAt = isBoefje ? now() + delay : null;
    if (known === undefined)
      return this.#insert(of, { schedule: null, deadlineAt: deadlineAt === null ? null : isoOf(deadlineAt) }).id;
    // A cron keeps its time, and of what no actor has looked at an interval keeps its rhythm.
    const keeps =
      recurrence === 'default'
        ? known.schedule !== null && !known.inherited
        : known.schedule !== null || (known.deadlineAt !== null && known.deadlineAt === known.intervalDeadline);
    if (!keeps) known.deadlineAt = deadlineAt ?? known.deadlineAt;
    if (recurrence === 'default') {
      if (known.inherited) known.schedule = null;
      known.inherited = false;
    }
    this.#changed(known);
    return known.id;
  }

  #follow(known: StoredSchedule, { schedule, inherited = false, deadlineAt, byInterval, disabled }: Recurrence): void {
    if (schedule !== null || known.inherited) known.schedule = schedule;
    known.inherited = inherited;
    known.enabled = disabled === undefined;
    known.disabledReason = disabled ?? null;
    known.deadlineAt = msOf(deadlineAt);
    known.intervalDeadline = byInterval === true ? known.deadlineAt : null;
    known.claimedUntil = null;
    this.#changed(known);
  }

  #insert(
    of: Omit<NewSchedule, 'recurrence'> & { readonly scheduler: string },
    recurrence: Recurrence,
  ): StoredSchedule {
    const { scheduler, organisation, hash, data } = of;
    const { boefje } = data as { boefje?: { id: string } };
    const ooi = ooiOf(data);
    const deadlineAt = msOf(recurrence.deadlineAt);
    const made: StoredSchedule = {
      id: chance.timeOrderedUuid(),
      scheduler,
      organisation,
      hash,
      data,
      boefje: boefje?.id ?? null,
      ooi,
      version: 0,
      enabled: recurrence.disabled === undefined,
      disabledReason: recurrence.disabled ?? null,
      schedule: recurrence.schedule,
      inherited: recurrence.inherited ?? false,
      deadlineAt,
      intervalDeadline: recurrence.byInterval === true ? deadlineAt : null,
      askedDeadline: null,
      claimedUntil: null,
      turn: 0,
    };
    this.byHash.set(hash, made);
    this.byId.set(made.id, made);
    addTo(this.#ofOrganisation, organisation, made);
    if (ooi !== null) addTo(this.#ofOoi, ooiKey(organisation, ooi), made);
    this.#changed(made);
    return made;
  }

  add(scheduler: string, schedules: readonly NewSchedule[]): number {
    let added = 0;
    for (const { recurrence, ...of } of schedules) {
      if (this.byHash.has(of.hash)) continue;
      this.#insert({ ...of, scheduler }, recurrence);
      added += 1;
    }
    return added;
  }

  /** Another version, and due when it says so now. */
  #changed(schedule: StoredSchedule): void {
    schedule.version += 1;
    this.#plan(schedule);
    this.#options.changed(schedule);
  }

  #plan(schedule: StoredSchedule): void {
    this.#deadlinesOf(schedule.scheduler).plan(schedule);
  }

  #deadlinesOf(scheduler: string): Deadlines {
    const known = this.#deadlines.get(scheduler);
    if (known !== undefined) return known;
    const deadlines = new Deadlines();
    this.#deadlines.set(scheduler, deadlines);
    return deadlines;
  }

  claimDue(scheduler: string, limit: number, except: readonly string[]): readonly DueSchedule[] {
    const now = this.#options.now();
    const due = this.#deadlinesOf(scheduler).takeDue(now, new Set(except));
    const claimed = due.slice(0, limit);
    for (const schedule of claimed) schedule.claimedUntil = now + claimMs;
    for (const schedule of due) this.#plan(schedule);
    return claimed.map(dueOf);
  }

  settle(scheduler: string, settlements: readonly ScheduleSettlement[]): readonly StoredSchedule[] {
    const settled: StoredSchedule[] = [];
    for (const settlement of new Map(settlements.map((it) => [it.id, it])).values()) {
      const schedule = this.byId.get(settlement.id);
      if (schedule?.scheduler !== scheduler || String(schedule.version) !== settlement.version) continue;
      this.#settleOne(schedule, settlement);
      settled.push(schedule);
    }
    return settled;
  }

  #settleOne(known: StoredSchedule, settlement: ScheduleSettlement): void {
    const { deadlineAt, schedule, disabled } = settlement;
    const byRecurrence = disabled === 'run-on-only' || disabled === 'cron-unreadable';
    const isClaimed = known.claimedUntil !== null;
    if (deadlineAt !== undefined) {
      known.deadlineAt = msOf(deadlineAt);
      known.intervalDeadline = settlement.byInterval === true ? known.deadlineAt : null;
      known.askedDeadline = settlement.asked === true ? known.deadlineAt : null;
    }
    if (schedule !== undefined) {
      known.schedule = schedule;
      known.inherited = settlement.inherited ?? known.inherited;
    }
    if (disabled === null) [known.enabled, known.disabledReason] = [true, null];
    else if (known.enabled && (isClaimed || byRecurrence)) {
      known.disabledReason = disabled ?? null;
      known.enabled = disabled === undefined;
    }
    if (deadlineAt !== undefined || disabled != null) known.claimedUntil = null;
    this.#changed(known);
  }

  read(scheduler: string, ids: readonly string[]): readonly DueSchedule[] {
    return ids.flatMap((id) => {
      const schedule = this.byId.get(id);
      return schedule?.scheduler === scheduler ? [dueOf(schedule)] : [];
    });
  }

  of(organisation: string): Iterable<StoredSchedule> {
    return this.#ofOrganisation.get(organisation) ?? [];
  }

  ofOoi(organisation: string, ooi: string): Iterable<StoredSchedule> {
    return this.#ofOoi.get(ooiKey(organisation, ooi)) ?? [];
  }

  /** What is being examined may be about to be disabled for what its OOI was before: its claim ends. */
  unclaim(schedule: StoredSchedule): void {
    schedule.claimedUntil = null;
    this.#plan(schedule);
  }

  enable(schedule: StoredSchedule): void {
    const now = this.#options.now();
    Object.assign(schedule, {
      enabled: true,
      disabledReason: null,
      claimedUntil: null,
      deadlineAt: now,
      askedDeadline: now,
    });
    this.#changed(schedule);
  }

  disable(schedule: StoredSchedule, reason: DisabledReason): void {
    Object.assign(schedule, { enabled: false, disabledReason: reason, claimedUntil: null });
    this.#changed(schedule);
  }

  delete(hash: string): boolean {
    const schedule = this.byHash.get(hash);
    if (schedule === undefined) return false;
    schedule.turn += 1;
    this.byHash.delete(hash);
    this.byId.delete(schedule.id);
    this.#ofOrganisation.get(schedule.organisation)?.delete(schedule);
    if (schedule.ooi !== null) this.#ofOoi.get(ooiKey(schedule.organisation, schedule.ooi))?.delete(schedule);
    return true;
  }
}

function msOf(iso: string | null): number | null {
  return iso === null ? null : Date.parse(iso);
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

function ooiKey(organisation: string, ooi: string): string {
  return `${organisation}\n${ooi}`;
}
