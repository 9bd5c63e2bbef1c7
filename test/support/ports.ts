import { deepStrictEqual, equal } from 'node:assert';
import type { BoefjeConfig, BoefjeRun } from '../../src/kat/kat.ts';
import type { Failure } from '../../src/mailbox/failure.ts';
import type {
  AskSupervisor,
  DueSchedule,
  FailureStreak,
  LatestTask,
  NewTask,
  PushOutcome,
  SeenBoefjes,
  SupervisorRequestKind,
  SupervisorRequests,
} from '../../src/protocol/requests.ts';
import type { SchedulerSettings, Setup } from '../../src/protocol/scheduler.ts';
import { boefjeData, taskTypeOf } from '../../src/tasks/data.ts';
import type { RefusalReason } from '../../src/tasks/refusal.ts';
import { type FakeOrganisation, katPorts } from './kat-ports.ts';

/** 2026-03-02, a Monday, noon UTC. */
export const noon = Date.UTC(2026, 2, 2, 12);
export const hour = 3_600_000;

/** Ports of a scheduler in memory: what they were asked, what was pushed and refused. Change the fields at any time. */
export class Ports {
  now = noon;
  /** The thread's clock is so far behind the database's. */
  behindMs = 0;
  random = 0;
  settings: SchedulerSettings = { gracePeriodSeconds: 86_400, jitterSeconds: 18_000 };
  organisations: Record<string, FakeOrganisation> = {};
  configs: BoefjeConfig[] = [];
  runs: { organisation: string; boefje: string; inputOoi: string | null; run: BoefjeRun }[] = [];
  latest: LatestTask[] = [];
  streaks: FailureStreak[] = [];
  schedules: DueSchedule[] = [];
  seen: SeenBoefjes[] = [];
  /** Plug-ins of every organisation that Katalogus gives not as agreed. */
  unreadable: readonly string[] = [];
  pageSize = 1000;
  /** Requests to revoke that do not get through all there is. */
  moreRevocations = 0;
  /** Throws for what shall fail; `name` as in `asked`, `organisation` where the call is about one. */
  outage: (name: string, organisation: string | null, request: unknown) => void = () => {};
  failPush: (task: NewTask) => Failure | null = () => null;
  refusePush: (task: NewTask) => RefusalReason | null = () => null;

  readonly stopping = new AbortController();
  readonly asked: { name: string; request: unknown }[] = [];
  readonly pushed: NewTask[] = [];
  readonly refused: { reason: RefusalReason; about: Readonly<Record<string, string | null>> }[] = [];
  readonly warnings: { fields: Readonly<Record<string, unknown>>; message: string }[] = [];
  readonly #claimed = new Set<string>();
  readonly #queued = new Set<string>();

  /** The scheduler, and its task type. */
  readonly type: string;

  constructor(type: string) {
    this.type = type;
  }

  get setup(): Setup {
    return {
      scheduler: this.type,
      settings: this.settings,
      supervisor: this.#ask,
      kat: katPorts(this),
      now: () => this.now - this.behindMs,
      random: () => this.random,
      log: {
        debug: () => {},
        info: () => {},
        warn: (fields, message) => void this.warnings.push({ fields, message }),
        error: (fields, message) => void this.warnings.push({ fields, message }),
      },
      stopping: this.stopping.signal,
      refuse: (reason, about) => void this.refused.push({ reason, about }),
    };
  }

  /** The requests of one name, in order. */
  requests<K extends SupervisorRequestKind>(kind: K): SupervisorRequests[K]['request'][] {
    return this.asked.filter(({ name }) => name === kind).map(({ request }) => request as never);
  }

  times(name: string): number {
    return this.asked.filter((it) => it.name === name).length;
  }

  get reasons(): RefusalReason[] {
    return this.refused.map(({ reason }) => reason);
  }

  /** What is queued, as `boefje organisation ooi`. */
  get pairs(): string[] {
    return this.pushed.map(({ data }) => {
      const { boefje, organization, input_ooi: ooi } = boefjeData.parse(data);
      return `${boefje.id} ${organization} ${ooi}`;
    });
  }

  /** Claims of an earlier tick end. */
  expireClaims(): void {
    this.#claimed.clear();
  }

  readonly #ask: AskSupervisor = async (kind, request) => {
    this.asked.push({ name: kind, request });
    this.outage(kind, null, request);
    return this.#answers[kind](request);
  };

  readonly #answers: {
    [K in SupervisorRequestKind]: (request: SupervisorRequests[K]['request']) => SupervisorRequests[K]['reply'];
  } = {
    'push-tasks': ({ tasks }) => tasks.map((task) => this.#push(task)),
    'latest-tasks': ({ hashes }) => {
      const wanted = new Set(hashes);
      return this.latest.filter((task) => wanted.has(task.hash));
    },
    'failure-streaks': ({ hashes }) => {
      const wanted = new Set(hashes);
      return this.streaks.filter(({ hash }) => wanted.has(hash));
    },
    'claim-due-schedules': ({ limit, except = [] }) => {
      const due = this.schedules.filter(
        (it) => it.enabled && it.deadlineAt !== null && it.deadlineAt <= this.now && !this.#claimed.has(it.id),
      );
      const claimed = due
        .filter(({ organisation }) => !except.includes(organisation))
        .toSorted((a, b) => a.deadlineAt! - b.deadlineAt!)
        .slice(0, limit);
      for (const { id } of claimed) this.#claimed.add(id);
      return claimed;
    },
    'settle-schedules': ({ settlements }) => {
      const byId = new Map(settlements.map((settlement) => [settlement.id, settlement]));
      this.schedules = this.schedules.map((schedule): DueSchedule => {
        const settlement = byId.get(schedule.id);
        if (settlement === undefined) return schedule;
        this.#claimed.delete(schedule.id);
        return {
          ...schedule,
          ...(settlement.schedule === undefined ? {} : { schedule: settlement.schedule }),
          ...(settlement.inherited === undefined ? {} : { inherited: settlement.inherited }),
          ...(settlement.deadlineAt === undefined
            ? {}
            : {
                deadlineAt: settlement.deadlineAt === null ? null : Date.parse(settlement.deadlineAt),
                byInterval: settlement.byInterval ?? false,
                asked: settlement.asked ?? false,
              }),
          ...(settlement.disabled === undefined
            ? {}
            : { enabled: settlement.disabled === null, disabledReason: settlement.disabled }),
        };
      });
      return null;
    },
    'read-schedules': ({ ids }) => this.schedules.filter((schedule) => ids.includes(schedule.id)),
    'disabled-schedules': ({ ids }) =>
      this.schedules.filter(({ id, enabled }) => !enabled && ids.includes(id)).map(({ id }) => id),
    'schedules-of-boefje': ({ organisation, boefje, after, limit }) =>
      this.schedules
        .filter((it) => it.organisation === organisation && boefjeData.safeParse(it.data).data?.boefje.id === boefje)
        .filter((it) => it.enabled || it.disabledReason === 'run-on-only' || it.disabledReason === 'cron-unreadable')
        .filter((it) => after === null || it.id > after)
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit),
    'add-schedules': ({ schedules }) => {
      const hashes = new Set(this.schedules.map(({ hash }) => hash));
      const added = schedules.filter(({ hash }) => !hashes.has(hash));
      for (const { organisation, hash, data, recurrence } of added) {
        const { schedule, inherited = false, byInterval = false, deadlineAt, disabled = null } = recurrence;
        this.schedules.push({
          id: hash,
          version: 'v1',
          organisation,
          hash,
          data,
          enabled: disabled === null,
          disabledReason: disabled,
          schedule,
          inherited,
          byInterval,
          deadlineAt: deadlineAt === null ? null : Date.parse(deadlineAt),
        });
      }
      return { added: added.length };
    },
    'forget-oois': ({ oois }) => ({ cancelled: oois.length, disabled: oois.length }),
    'revoke-tasks': ({ revocations }) => ({ cancelled: revocations.length, told: 0, more: this.moreRevocations-- > 0 }),
    'enable-schedules': () => ({ enabled: 0 }),
    'delete-schedules': ({ hashes }) => ({ deleted: hashes.length }),
    'seen-boefjes': ({ organisations }) =>
      this.seen.filter((it) => organisations === undefined || organisations.includes(it.organisation)),
    'set-default-limits': () => null,
    'save-seen-boefjes': ({ seen }) => {
      const saved = new Set(seen.map((it) => it.organisation));
      this.seen = [...this.seen.filter((it) => !saved.has(it.organisation)), ...seen];
      return null;
    },
  };

  /** What push-schedules.sql does with the schedule of a task whose recurrence is given. */
  #moveSchedule(hash: string, { recurrence }: NewTask): void {
    if (typeof recurrence !== 'object') return;
    const { schedule, inherited = false, deadlineAt, byInterval = false } = recurrence;
    this.schedules = this.schedules.map((known): DueSchedule => {
      if (known.hash !== hash || !known.enabled) return known;
      this.#claimed.delete(known.id);
      const keeps = schedule == null && !known.inherited;
      return {
        ...known,
        ...(keeps ? {} : { schedule: schedule ?? null }),
        inherited,
        deadlineAt: deadlineAt == null ? null : Date.parse(deadlineAt),
        byInterval,
      };
    });
  }

  #push(task: NewTask): PushOutcome {
    const hash = taskTypeOf(this.type).hash(task.data);
    // It says that it need not be read again.
    if (task.checked === true) deepStrictEqual(taskTypeOf(this.type).schema.parse(task.data), task.data);
    if (task.hash !== undefined) equal(task.hash, taskTypeOf(this.type).hash(task.data));
    const failure = this.failPush(task);
    if (failure !== null) return { outcome: 'failed', failure };
    const reason = this.refusePush(task) ?? (this.#queued.has(hash) ? 'already-queued' : null);
    if (reason !== null) return { outcome: 'refused', reason };
    this.#queued.add(hash);
    this.pushed.push(task);
    this.#moveSchedule(hash, task);
    return { outcome: 'queued', id: task.id ?? `task-${this.pushed.length}`, scheduleId: null };
  }
}
