import { connect, type Executor, query, statement, transact, transaction } from '../../postgres/pool.ts';
import type { Pause } from '../../queue/maintenance/pauses.ts';
import { readLimits } from '../../queue/limits/view.ts';
import { requireMigrated } from '../../queue/schema/migrations.ts';
import { time } from '../../time-and-chance.ts';
import { readHistory } from './read-history.ts';
import { boundsHere, type SnapshotBounds } from './bounds.ts';
import type { LeaseRow, QueueRow, ScheduleRow, StandingRow, SubjectRow } from './snapshot-rows.ts';
import type { DueLater, LeasedTask, QueuedTask, SchedulerSnapshot, Snapshot } from './snapshot.ts';

interface ReadingOptions {
  /** Schedules that fall due later are left out. */
  readonly days: number;
  readonly schedulers: readonly string[];
  /** OOIs are read although no limit that stands asks for them. */
  readonly wantsOois: boolean;
  readonly bounds?: Partial<SnapshotBounds>;
}

const perPage = 20_000;
/** Of one statement: the history of a day is read in one. */
const statementMs = 60_000;
/** After this share of its time it begins no further page: what was read until then is an answer. */
const pagesShare = 5 / 6;

/**
 * What is in a database at one moment: one transaction that reads only, sees one state of it, and takes no lock that any statement of a
 * supervisor waits for.
 * @throws RotaError SCHEMA_UNKNOWN where it is not a database of this version; DATABASE_UNAVAILABLE
 */
export async function readSnapshot(databaseUrl: string, options: ReadingOptions): Promise<Snapshot> {
  await requireMigrated(databaseUrl, { reads: true });
  const sql = connect(databaseUrl, { max: 1, statementMs });
  try {
    return await transact(() =>
      transaction(sql, async (reading) => {
        await query(reading, 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY', [], { prepare: false });
        return new SnapshotReader(reading, options).read();
      }),
    );
  } finally {
    await sql.end({ timeout: 1 });
  }
}

class SnapshotReader {
  readonly #sql: Executor;
  readonly #options: ReadingOptions;
  readonly #bounds: SnapshotBounds;
  readonly #began = time.monotonicMs();
  readonly #texts = new Map<string, string>();
  readonly #cut: string[] = [];
  #wantsOois = false;

  constructor(sql: Executor, options: ReadingOptions) {
    this.#sql = sql;
    this.#options = options;
    this.#bounds = { ...boundsHere(), ...options.bounds };
  }

  async read(): Promise<Snapshot> {
    const { schedulers: names, wantsOois, days } = this.#options;
    const { each } = this.#bounds;
    const [standing] = await this.#ask<StandingRow>('what-if/standing', [each + 1, names]);
    const at = Math.ceil(standing!.now_ms);
    const limits = (await readLimits(this.#sql, await this.#time())).limits.filter(({ removed }) => !removed);
    const pauses = await this.#ask<Pause>('maintenance/pauses', [false]);
    const [weights] = await this.#ask<{ results: string }>('maintenance/weights', [each + 1, 0]);
    this.#wantsOois = wantsOois || limits.some((limit) => limit.ooiType !== null || limit.template.includes('{'));
    const leases = await this.#leases();
    const age = { now: at, oldest: standing!.oldest_ms };
    const history = await readHistory((...of) => this.#ask(...of), names, age, this.#bounds);
    const intervals = intervalsOf(this.#first('intervals of boefjes', JSON.parse(standing!.intervals) as Interval[]));
    const virtualTimes = Map.groupBy(
      JSON.parse(standing!.virtual_times) as Snapshot['virtualTimes'],
      ({ scheduler }) => scheduler,
    );
    const schedulers: SchedulerSnapshot[] = [];
    for (const name of names) {
      const queued = await this.#queued(name);
      const schedules = await this.#schedules(name, at + days * 86_400_000, intervals);
      schedulers.push({ name, queued, schedules, ...history.schedulers.get(name)! });
    }
    return {
      at,
      schedulers,
      leases,
      pauses: pauses.map(({ scheduler, organisation, plugin }) => ({ scheduler, organisation, plugin })),
      limits,
      limitArrivals: new Map(
        this.#first(
          'keys of limits that have no room by their rate',
          JSON.parse(standing!.arrivals) as { key: string; at_ms: number }[],
        ).map((it) => [it.key, it.at_ms]),
      ),
      weights: this.#first('weights', JSON.parse(weights!.results) as Snapshot['weights']),
      virtualTimes: [...virtualTimes].flatMap(([scheduler, rows]) =>
        this.#first(`virtual times of ${scheduler}, the greatest first,`, rows),
      ),
      follows: history.follows,
      cut: [...this.#cut, ...history.cut],
    };
  }

  /** Of a list that has one more than is read where there are more. */
  #first<Row>(what: string, rows: readonly Row[]): readonly Row[] {
    const { each } = this.#bounds;
    if (rows.length <= each) return rows;
    this.#cut.push(`${each} ${what} were read: the others are left out`);
    return rows.slice(0, each);
  }

  async #queued(scheduler: string): Promise<readonly QueuedTask[]> {
    const queued: QueuedTask[] = [];
    await this.#readAll<QueueRow>({
      what: `queued tasks of ${scheduler}`,
      most: this.#bounds.queued,
      page: (last, rows) => {
        const after =
          last === null
            ? [false, '-9223372036854775808', '-infinity', zeroId]
            : [last.held, String(last.rank), last.made_at, last.id];
        return this.#ask('what-if/queue', [scheduler, ...after, rows, this.#wantsOois]);
      },
      take: (row) =>
        queued.push({
          ...this.#subjectOf(row),
          rank: row.rank,
          madeAt: Date.parse(row.made_at),
          group: this.#textOf(row.deduplication_key),
        }),
    });
    return queued;
  }

  async #schedules(
    scheduler: string,
    before: number,
    intervals: ReadonlyMap<string, number>,
  ): Promise<readonly DueLater[]> {
    const schedules: DueLater[] = [];
    const until = new Date(before).toISOString();
    await this.#readAll<ScheduleRow>({
      what: `schedules of ${scheduler} that fall due`,
      most: this.#bounds.schedules,
      page: (last, rows) => {
        const after = last === null ? ['-infinity', zeroId] : [last.deadline_at, last.id];
        return this.#ask('what-if/schedules', [scheduler, ...after, until, rows, this.#wantsOois]);
      },
      take: (row) =>
        schedules.push({
          ...this.#subjectOf(row),
          deadlineAt: Date.parse(row.deadline_at),
          cron: this.#textOf(row.cron),
          intervalMs: row.by_interval ? (intervals.get(`${row.organisation}\n${row.plugin}`) ?? null) : null,
        }),
    });
    return schedules;
  }

  async #leases(): Promise<readonly LeasedTask[]> {
    const leases: LeasedTask[] = [];
    await this.#readAll<LeaseRow>({
      what: 'tasks that workers have in hand',
      most: this.#bounds.leases,
      page: (last, rows) => this.#ask('what-if/leases', [last?.id ?? zeroId, rows]),
      take: (row) =>
        leases.push({
          ...this.#subjectOf(row),
          scheduler: this.#textOf(row.scheduler)!,
          madeAt: Math.round(row.made_ms),
          claimedAt: Math.round(row.claimed_ms),
          startedAt: row.started_ms === null ? null : Math.round(row.started_ms),
          group: this.#textOf(row.deduplication_key),
          manual: row.manual,
        }),
    });
    return leases;
  }

  /** Page by page, until there is no more, or it is enough: then it says so. */
  async #readAll<Row>({ what, most, page, take }: Pages<Row>): Promise<void> {
    let last: Row | null = null;
    for (let count = 0; ;) {
      const limit = Math.min(perPage, most - count);
      const rows: readonly Row[] = await page(last, limit);
      for (const row of rows) take(row);
      count += rows.length;
      if (rows.length < limit) return;
      const isLate = this.#leftMs() < (1 - pagesShare) * this.#bounds.seconds * 1_000;
      last = rows.at(-1)!;
      const isEnd = count >= most && (await page(last, 1)).length === 0;
      if (isEnd) return;
      if (count >= most || isLate) {
        const why = isLate ? `${Math.round(this.#bounds.seconds * pagesShare)} s were over` : 'it takes no more';
        this.#cut.push(`the first ${count} ${what} were read, then ${why}: what comes after them is left out`);
        return;
      }
    }
  }

  async #ask<Row extends object>(name: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return query<Row>(this.#sql, statement(name), values, await this.#time());
  }

  /** For one statement. Where less is left than each may take, the server ends it then, too. */
  async #time(): Promise<{ readonly withinMs: number }> {
    const withinMs = Math.max(1, Math.min(statementMs, Math.floor(this.#leftMs())));
    if (withinMs < statementMs)
      await query(this.#sql, `SET LOCAL statement_timeout = ${withinMs}`, [], { prepare: false, withinMs });
    return { withinMs };
  }

  #leftMs(): number {
    return this.#began + this.#bounds.seconds * 1_000 - time.monotonicMs();
  }

  #subjectOf({ organisation, plugin, image, hash, ooi }: SubjectRow) {
    const of = this.#textOf(organisation)!;
    return { organisation: of, plugin: this.#textOf(plugin), image: this.#textOf(image), hash, ooi };
  }

  #textOf(text: string | null): string | null {
    if (text === null) return null;
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, text);
    return known ?? text;
  }
}

interface Interval {
  readonly organisation: string;
  readonly boefje: string;
  readonly minutes: number;
}

function intervalsOf(intervals: readonly Interval[]): ReadonlyMap<string, number> {
  return new Map(intervals.map((it) => [`${it.organisation}\n${it.boefje}`, it.minutes * 60_000]));
}

interface Pages<Row> {
  readonly what: string;
  readonly most: number;
  /** The rows after one. */
  readonly page: (last: Row | null, rows: number) => Promise<readonly Row[]>;
  readonly take: (row: Row) => void;
}

const zeroId = '00000000-0000-0000-0000-000000000000';
