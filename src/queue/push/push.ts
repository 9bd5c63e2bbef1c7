import { codeOf, RotaError } from '../../errors.ts';
import { failureOf } from '../../mailbox/failure.ts';
import { type Executor, query, type Sql, transact, transaction } from '../../postgres/pool.ts';
import type { PushedSchedule } from '../../protocol/commands.ts';
import type { NewTask, PushOutcome } from '../../protocol/requests.ts';
import type { RefusalReason } from '../../tasks/refusal.ts';
import { emit } from '../../telemetry/events.ts';
import { Coalescer, type Requester } from '../batching.ts';
import type { PushAnswers } from '../queue.ts';
import { overtakenOf, withRepeats } from './duplicates.ts';
import { type NewTaskOptions, pushStatement, type QueueItem, queueItem } from './push-statement.ts';
import type { VirtualTimes } from '../pop/marks.ts';
import { keptPriority, type RankedTask, rankedTask, scoresOf, type TaskRanking } from './rank.ts';

interface PushOptions {
  readonly sql: Sql;
  readonly scheduler: string;
  readonly newTask: NewTaskOptions;
  readonly ranking: TaskRanking;
  readonly virtualTimes: VirtualTimes;
  /** Queued tasks of the scheduler; 0 is unlimited. Full refuses all but priority 1. */
  readonly maxSize: number;
  /** Statements at once, and tasks of each at most. */
  readonly maxInFlight: number;
  readonly maxBatch: number;
  /** So many tasks were queued. */
  onQueued(count: number): void;
  /** Pushes that named no recurrence made or moved these schedules with the default one. */
  onDefaultSchedules(pushed: readonly PushedSchedule[]): void;
}

interface Item {
  readonly row: QueueItem;
  readonly priority: number | undefined;
  readonly features: RankedTask;
  readonly hash: string;
  readonly follows: string | null | undefined;
  /** Of all items of its request. */
  readonly answer: Answer;
}

interface Answer {
  /** It carries the tasks. */
  withTasks: boolean;
}

/** Of a request: what goes into the queue, and of each task its place there, or why it does not. */
interface Prepared {
  readonly items: readonly Item[];
  readonly places: readonly (PushOutcome | number)[];
  readonly answer: Answer;
}

interface PushRow {
  readonly n: number;
  readonly outcome: 'queued' | 'already-queued' | 'queue-full' | 'id-taken';
  readonly schedule_id: string | null;
  readonly corrects: boolean;
  readonly inherited: boolean;
  readonly task: string | null;
}

/** Pushes into the queue of one scheduler; docs/queue-semantics.md, "Push". */
export class Push {
  readonly #options: PushOptions;
  readonly #asked: Coalescer<Item, PushOutcome>;
  /** One statement at a time: they wait for each other's lock anyway, and must not occupy the connections of pops meanwhile. */
  readonly #decided: Coalescer<Item, PushOutcome>;

  constructor(options: PushOptions) {
    this.#options = options;
    const coalescer = (maxInFlight: number) =>
      new Coalescer<Item, PushOutcome>({
        maxInFlight,
        maxBatch: options.maxBatch,
        run: (batch) => this.#commit(batch),
        outcomeOf: (_item, error) =>
          codeOf(error) === 'RANK_FAILED'
            ? { outcome: 'refused', reason: 'rank-failed', detail: failureOf(error).message }
            : { outcome: 'failed', failure: failureOf(error) },
      });
    this.#asked = coalescer(options.maxInFlight);
    this.#decided = coalescer(1);
  }

  /** One outcome per task, in order; within equal ranks the set's order is the pop order. */
  async push(tasks: readonly NewTask[], asked: PushAnswers & Requester): Promise<readonly PushOutcome[]> {
    const { maxBatch } = this.#options;
    // Nothing waits here, and so holds the tasks' data while they are pushed.
    if (tasks.length <= maxBatch) return this.#submit(this.#prepareAll(tasks, asked), asked);
    const outcomes: PushOutcome[] = [];
    for (let from = 0; from < tasks.length; from += maxBatch) {
      outcomes.push(...(await this.#submit(this.#prepareAll(tasks.slice(from, from + maxBatch), asked), asked)));
    }
    return outcomes;
  }

  async idle(): Promise<void> {
    await Promise.all([this.#asked.idle(), this.#decided.idle()]);
  }

  #prepareAll(
    tasks: readonly NewTask[],
    { answersTasks = false, room = Number.POSITIVE_INFINITY }: PushAnswers,
  ): Prepared {
    const answer: Answer = { withTasks: answersTasks };
    const items: Item[] = [];
    let characters = 0;
    const places = tasks.map((task): PushOutcome | number => {
      try {
        const item = this.#prepare(task, answer);
        characters += leastTaskCharacters + item.row.data.length;
        return items.push(item) - 1;
      } catch (error) {
        return { outcome: 'failed', failure: failureOf(error) };
      }
    });
    if (characters > room) answer.withTasks = false;
    return { items, places, answer };
  }

  async #submit({ items, places, answer }: Prepared, asked: PushAnswers & Requester): Promise<PushOutcome[]> {
    const { sql, scheduler } = this.#options;
    const line = items.some(isDecided) ? this.#decided : this.#asked;
    const given = await line.submit(items, asked);
    const outcomes =
      asked.answersRepeats === true ? await withRepeats(sql, scheduler, items, given, answer.withTasks) : given;
    emitRefused(scheduler, items, outcomes);
    return places.map((place) => (typeof place === 'number' ? outcomes[place]! : place));
  }

  #prepare(task: NewTask, answer: Answer): Item {
    const policy = this.#options.ranking.policyOf(this.#options.scheduler);
    const row = queueItem(task, this.#options.newTask);
    return {
      row,
      hash: row.hash,
      follows: task.follows,
      priority: keptPriority(task, policy),
      features: rankedTask(task),
      answer,
    };
  }

  async #commit(batch: readonly Item[]): Promise<readonly PushOutcome[]> {
    const { sql, scheduler, ranking } = this.#options;
    const rows = await transact(async () => {
      const scores = await scoresOf(ranking, scheduler, batch);
      if (!batch.some(isDecided)) return this.#insert(sql, batch, scores, none);
      return transaction(sql, async (pushing) => {
        const overtaken = await overtakenOf(pushing, scheduler, batch);
        return this.#insert(pushing, batch, scores, overtaken);
      });
    });
    return this.#report(batch, rows);
  }

  async #insert(
    sql: Executor,
    batch: readonly Item[],
    scores: readonly number[],
    overtaken: ReadonlySet<Item>,
  ): Promise<readonly PushRow[]> {
    const { scheduler, newTask, maxSize, ranking, virtualTimes } = this.#options;
    const items = batch
      .map(({ row, features }, n) => ({ row, n, score: scores[n]!, manual: features.manual }))
      .filter(({ n }) => !overtaken.has(batch[n]!));
    const { text, values } = pushStatement(items, {
      scheduler,
      type: newTask.type,
      maxSize,
      answersTasks: batch.some(({ answer }) => answer.withTasks),
      costs: ranking.policyOf(scheduler).fair ? { unsaved: virtualTimes.unsaved() } : null,
    });
    const rows = await query<PushRow>(sql, text, values);
    if (overtaken.size === 0) return rows;
    const others = batch.flatMap((item, n): PushRow[] =>
      overtaken.has(item)
        ? [{ n, outcome: 'already-queued', schedule_id: null, corrects: false, inherited: false, task: null }]
        : [],
    );
    return [...rows, ...others].toSorted((a, b) => a.n - b.n);
  }

  #report(batch: readonly Item[], rows: readonly PushRow[]): readonly PushOutcome[] {
    const { scheduler } = this.#options;
    const queued = rows.filter((row) => row.outcome === 'queued').map((row) => batch[row.n]!.row);
    if (queued.length > 0) {
      emit({ name: 'tasks.queued', scheduler, tasks: queued.map(({ id, organisation }) => ({ id, organisation })) });
      this.#options.onQueued(queued.length);
    }
    const corrected = assumedOf(rows, batch);
    if (corrected.length > 0) this.#options.onDefaultSchedules(corrected);
    return rows.map((row): PushOutcome => {
      const { row: item, answer } = batch[row.n]!;
      const id = item.id;
      if (row.outcome === 'queued') {
        const queued = { outcome: 'queued', id, scheduleId: row.schedule_id } as const;
        return answer.withTasks && row.task !== null ? { ...queued, task: row.task } : queued;
      }
      if (row.outcome !== 'id-taken') return { outcome: 'refused', reason: row.outcome };
      return { outcome: 'failed', failure: failureOf(new RotaError('CONFLICT', `a task ${id} exists already`)) };
    });
  }
}

/**
 * Of a task's JSON text beside its data: keys, ids, hash and times. The data have as many characters in it as they are stored with, or
 * more: Postgres writes a space behind each colon and comma.
 */
const leastTaskCharacters = 270;

function isDecided({ follows }: Item): boolean {
  return follows !== undefined;
}

const none: ReadonlySet<Item> = new Set();

/** Of a push, the schedules that it made or moved with the default recurrence: push.sql, `corrects`. */
function assumedOf(rows: readonly PushRow[], batch: readonly Item[]): readonly PushedSchedule[] {
  return rows
    .filter(({ corrects }) => corrects)
    .map(({ n, schedule_id, inherited }) => {
      const { organisation, plugin } = batch[n]!.row;
      return { id: schedule_id!, organisation, plugin, inherited };
    });
}

/** The events of the tasks that the queue declined, by reason. */
function emitRefused(
  scheduler: string,
  items: readonly { readonly row: Pick<QueueItem, 'organisation' | 'hash'> }[],
  outcomes: readonly PushOutcome[],
): void {
  const refused = new Map<RefusalReason, { organisation: string; hash: string }[]>();
  for (const [n, outcome] of outcomes.entries()) {
    if (outcome.outcome !== 'refused') continue;
    const { organisation, hash } = items[n]!.row;
    const tasks = refused.get(outcome.reason) ?? [];
    tasks.push({ organisation, hash });
    refused.set(outcome.reason, tasks);
  }
  for (const [reason, tasks] of refused) emit({ name: 'tasks.refused', scheduler, reason, count: tasks.length, tasks });
}
