import { connect, query, statement, type Sql } from '../../../src/postgres/pool.ts';
import { Limits } from '../../../src/queue/limits/limits.ts';
import { Pauses } from '../../../src/queue/maintenance/pauses.ts';
import { AllVirtualTimes } from '../../../src/queue/pop/marks.ts';
import type { TaskRanking } from '../../../src/queue/push/rank.ts';
import { ranksOfRequeued } from '../../../src/queue/push/requeue.ts';
import { createScheduleStore } from '../../../src/queue/schedules/schedule-store.ts';
import { Sweeper } from '../../../src/queue/settle/leases.ts';
import { createTaskQueue, type RunningTaskQueue } from '../../../src/queue/task-queue.ts';
import { popRequest } from '../queue.ts';
import type { SideOptions } from './memory-side.ts';
import { parkedAt, type QueueSide, type ScheduleState, type State, type TaskState } from './side.ts';
import { createVirtualDatabase, type VirtualDatabase } from './virtual-now.ts';

/** In an order that references allow. */
const tables = (
  'leases queue queue_floors tasks rare_outcomes schedules seen_boefjes fairness virtual_times pauses gaps supervisors limits limiters ' +
  'limit_changes limit_claims task_changes task_counts task_totals'
).split(' ');

const mostPasses = 20;

function fail(error: unknown): void {
  throw error;
}

/** The statements, by the code that a supervisor runs them with, on a database of their own: for one run after the other. */
export class Statements {
  readonly database: VirtualDatabase;
  readonly queue: RunningTaskQueue;
  readonly #plainly: Sql;
  readonly #ranking: TaskRanking;

  private constructor(database: VirtualDatabase, ranking: TaskRanking, settings: SideOptions['settings']) {
    this.database = database;
    this.#ranking = ranking;
    this.#plainly = connect(database.url, { max: 2, byKey: true });
    this.queue = createTaskQueue({
      databaseUrl: database.url,
      connections: 3,
      typeOf: () => 'boefje',
      ranking,
      ...settings,
      onError: fail,
    });
  }

  static async open(ranking: TaskRanking, settings: SideOptions['settings']): Promise<Statements> {
    return new Statements(await createVirtualDatabase(), ranking, settings);
  }

  async close(): Promise<void> {
    await this.queue.drain();
    await this.#plainly.end();
    await this.database.drop();
  }

  /** Nothing is queued, at that time. */
  async begin(options: SideOptions): Promise<StatementSide> {
    // Quicker than TRUNCATE, for the few rows that there are.
    await this.database.sql.unsafe(tables.map((table) => `DELETE FROM ${table}`).join(';'));
    await this.database.setNow(options.began);
    const side = new StatementSide(this, options, this.#plainly, this.#ranking);
    await side.setLimits();
    return side;
  }
}

export class StatementSide implements QueueSide {
  readonly scheduler: string;
  readonly store: QueueSide['store'];
  readonly #options: SideOptions;
  readonly #sql: Sql;
  readonly #database: VirtualDatabase;
  readonly #queue: RunningTaskQueue;
  readonly #sweeper: Sweeper;
  readonly #pauses: Pauses;
  readonly #limits: Limits;
  #now: number;

  constructor({ queue, database }: Statements, options: SideOptions, plainly: Sql, ranking: TaskRanking) {
    const { scheduler, maxAttempts, retryMs, settings, began } = options;
    this.scheduler = scheduler;
    this.#options = options;
    this.#now = began;
    this.#queue = queue;
    this.#database = database;
    this.#sql = database.sql;
    this.store = createScheduleStore(database.sql);
    this.#sweeper = new Sweeper({
      sql: plainly,
      maxAttempts,
      retryMs,
      gracePeriodSeconds: settings.gracePeriodSeconds,
      // The queue's own virtual times are stored before each round.
      ranksOf: ranksOfRequeued(ranking, new AllVirtualTimes(plainly, fail)),
      heartbeatsArrive: async () => true,
      onChanged: () => {},
      onPresent: () => {},
      onError: fail,
    });
    this.#pauses = new Pauses({
      sql: database.sql,
      ranksFairly: (of) => queue.ranksFairly(of),
      onResumed: () => {},
      onError: fail,
    });
    this.#limits = new Limits({
      sql: database.sql,
      schedulerIds: [scheduler],
      queue: { watch: () => {}, wake: () => {} },
      onError: fail,
    });
  }

  async setLimits(): Promise<void> {
    for (const limit of this.#options.limits) {
      const kind = limit.hours === null ? 'limit' : 'window';
      await this.#limits.set({ ...limit, kind, note: null, setBy: null });
    }
    await this.#look();
  }

  async #look(): Promise<void> {
    if (this.#options.limits.length === 0) return;
    // As its loop does: what is left is due at once.
    for (let passes = 0; passes < mostPasses; passes += 1) {
      const waitMs = await this.#limits.releaser.look();
      await this.#limits.releaser.applied();
      if (waitMs > 0) return;
    }
  }

  /** @param moments at which the releaser looks meanwhile, as it does at the end */
  async pass(ms: number, isPresent: boolean, moments: readonly number[]): Promise<void> {
    await this.#queue.ranksFairly(this.scheduler);
    this.#now += ms;
    const looks = this.#options.limits.length > 0 ? moments : [];
    for (const moment of new Set([...looks, this.#now])) {
      await this.#database.setNow(moment);
      this.#options.clock.now = moment;
      await this.#look();
    }
    if (isPresent) await this.#sql`UPDATE supervisors SET heard_at = now()`;
  }

  push(tasks: Parameters<QueueSide['push']>[0]) {
    return this.#queue.push(this.scheduler, tasks);
  }

  async pop(limit: number, leaseMs: number) {
    const claimed = await this.#queue.pop(this.scheduler, popRequest({ limit, leaseMs }));
    return claimed.map(({ id, unit, attempts, leaseId, leaseUntil }) => {
      return { id, unit, attempts, leaseId, until: Date.parse(leaseUntil) };
    });
  }

  async patch(...[id, leaseId, status]: Parameters<QueueSide['patch']>) {
    const [outcome] = await this.#queue.patch([{ id, leaseId, status, via: leaseId === null ? 'rest' : 'nats' }]);
    return outcome!.ok ? 'done' : outcome!.failure.code;
  }

  async heartbeat(...[leases, leaseMs]: Parameters<QueueSide['heartbeat']>) {
    return (await this.#queue.heartbeat(leases, leaseMs)).renewed;
  }

  giveBack(lease: Parameters<QueueSide['giveBack']>[0]) {
    return this.#queue.giveBack([lease]);
  }

  async round() {
    await this.#queue.ranksFairly(this.scheduler);
    await this.#sweeper.round();
    await this.#pauses.keep();
  }

  async pause(key: Parameters<QueueSide['pause']>[0]) {
    await this.#pauses.pause(key, 'ann');
  }

  async resume(key: Parameters<QueueSide['resume']>[0]) {
    return (await this.#pauses.resume(key)) !== null;
  }

  async weigh(organisation: string, weight: number) {
    await query(this.#sql, statement('maintenance/set-weight'), [this.scheduler, organisation, weight]);
  }

  async state(): Promise<State> {
    const tasks = await this.#sql<(Omit<TaskState, 'queued' | 'lease'> & Columns)[]>`
      SELECT t.id, lower(t.status::text) AS status, t.attempts, t.unbegun, t.reason, ${ms(this.#sql, 't.modified_at')} AS "modifiedAt",
        q.rank::float8 AS rank, q.held, q.limits, q.parked,
        CASE WHEN l.via = 'nats' THEN l.lease_id END AS "leaseId", l.via, ${ms(this.#sql, 'l.until')} AS until,
        ${ms(this.#sql, 'l.renewed_at')} AS "renewedAt", l.asked_ms AS "askedMs", l.begun OR t.status = 'RUNNING' AS begun
      FROM tasks t LEFT JOIN queue q ON q.id = t.id LEFT JOIN leases l ON l.task_id = t.id ORDER BY t.created_at, t.id`;
    const schedules = await this.#sql<ScheduleState[]>`
      SELECT hash, enabled, disabled_reason AS "disabledReason", schedule, inherited, ${ms(this.#sql, 'deadline_at')} AS "deadlineAt",
        ${ms(this.#sql, 'interval_deadline')} AS "intervalDeadline", ${ms(this.#sql, 'asked_deadline')} AS "askedDeadline",
        ${ms(this.#sql, 'claimed_until')} AS "claimedUntil"
      FROM schedules ORDER BY hash COLLATE "C"`;
    return { tasks: tasks.map(taskOf), schedules: schedules.map((row) => ({ ...row })) };
  }
}

/** A time in epoch milliseconds. */
const ms = (sql: Sql, column: string) => sql.unsafe(`floor(extract(epoch FROM ${column}) * 1000)::float8`);

type Queued = NonNullable<TaskState['queued']>;
type Leased = NonNullable<TaskState['lease']>;
type Columns = { [K in keyof Omit<Queued, 'parked'>]: Queued[K] | null } & { [K in keyof Leased]: Leased[K] | null } & {
  readonly parked: string | null;
};

function taskOf(row: Omit<TaskState, 'queued' | 'lease'> & Columns): TaskState {
  const { id, status, attempts, unbegun, reason, modifiedAt, rank, held, limits, parked } = row;
  const { leaseId, via, until, renewedAt, askedMs, begun } = row;
  return {
    id,
    status,
    attempts,
    unbegun,
    reason,
    modifiedAt,
    queued: rank === null ? null : { rank, held: held!, limits, parked: parkedAt(parked) },
    lease: via === null ? null : { leaseId, via, until: until!, renewedAt: renewedAt!, askedMs, begun: begun! },
  };
}
