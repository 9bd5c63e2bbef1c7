import { codeOf, isOfItem, RotaError } from '../../errors.ts';
import type { Failure } from '../../mailbox/failure.ts';
import { type Executor, query, statement } from '../../postgres/pool.ts';

/**
 * What the queue needs from a ranker (the pool of src/ranking): the pop order of tasks without a priority of their own. Lower
 * goes first.
 */
export interface TaskRanking {
  policyOf(scheduler: string): RankPolicy;
  /** Never rejects: a ranker that throws or hangs is a refusal. */
  rank(scheduler: string, tasks: readonly RankedTask[]): Promise<RankAnswer>;
}

export interface RankPolicy {
  /** Its answers are costs, by which the queue deals ranks out: docs/queue-semantics.md, "Fair share". */
  readonly fair: boolean;
  /** Of pushed priorities only 1 is kept, others are ranked. */
  readonly manualOnly: boolean;
}

export interface RankedTask {
  readonly organisation: string;
  /** Epoch milliseconds; now where absent. */
  readonly createdAt?: number;
  /** Epoch milliseconds; null where not known. */
  readonly lastRunAt: number | null;
  readonly occurredAt: number | null;
  /** Pushed with priority 1. */
  readonly manual: boolean;
}

export type RankAnswer =
  | {
      /** Whole numbers within ±2^53, one per task: ranks, or costs. */
      readonly ranks: ArrayLike<number>;
    }
  | { readonly failure: Failure };

/** A ranker that threw or hung names the batch, and once it is halved one task; too many batches that wait name none. */
export function notRanked(failure: Failure): RotaError {
  return new RotaError(isOfItem(failure) ? 'RANK_FAILED' : codeOf(failure), failure.message);
}

/** mula's order of boefje tasks: first come, first served, in epoch seconds. Used where no ranker is configured. */
export const rankByArrival: TaskRanking = {
  policyOf: () => ({ fair: false, manualOnly: false }),
  rank: async (_scheduler, tasks) => ({
    ranks: tasks.map((task) => (task.manual ? 1 : Math.floor(Date.now() / 1_000))),
  }),
};

/** A rank of an image: its virtual time, of a person's tasks where it is below 1. */
export interface VirtualTime {
  /** '' of tasks without one. */
  readonly image: string;
  readonly rank: number;
}

/** The tasks of one organisation and image, those that a person put first apart. */
export interface Flow {
  readonly organisation: string;
  /** '' of tasks without one. */
  readonly image: string;
  readonly manual: boolean;
}

/** No text in Postgres has a NUL, so no two flows have one key. */
function keyOf({ organisation, image, manual }: Flow): string {
  return `${organisation}\0${image}${manual ? '\0' : ''}`;
}

/** The flows of tasks, each once and as rota_flows takes them, and of each task the number of its flow, from 0 on. */
export function flowsOf(tasks: readonly Flow[]): { flows: readonly (Flow & { n: number })[]; of: readonly number[] } {
  const flows = new Map<string, Flow & { n: number }>();
  const of = tasks.map((task) => {
    const key = keyOf(task);
    const known = flows.get(key);
    if (known !== undefined) return known.n;
    const { organisation, image, manual } = task;
    const n = flows.size;
    flows.set(key, { n, organisation, image, manual });
    return n;
  });
  return { flows: [...flows.values()], of };
}

/**
 * Deals ranks out where no push does (push-flows.sql is a push's): to tasks that are queued again, or ranked anew. Each task
 * of a flow follows the last one by its cost, divided by the weight of its organisation.
 */
export class Deal {
  readonly #scheduler: string;
  /** Behind what is queued of the flow, or as if nothing were. */
  readonly #behind: 'queued' | 'nothing';
  readonly #flows = new Map<string, { last: number; readonly weight: number }>();

  constructor(scheduler: string, behind: 'queued' | 'nothing') {
    this.#scheduler = scheduler;
    this.#behind = behind;
  }

  /**
   * Reads where flows begin, each once. Their scheduler is locked until the transaction ends.
   *
   * @param unsaved virtual times of this supervisor that may not be stored yet
   */
  async start(sql: Executor, flows: readonly Flow[], unsaved: readonly VirtualTime[]): Promise<void> {
    const unknown = flows.filter((flow) => !this.#flows.has(keyOf(flow)));
    if (unknown.length === 0) return;
    const { flows: wanted } = flowsOf(unknown);
    const found = await query<{ n: number; virtual_time: number; starts: number; weight: number }>(
      sql,
      statement('push/flows'),
      [this.#scheduler, JSON.stringify(wanted), JSON.stringify(unsaved)],
    );
    for (const { n, virtual_time, starts, weight } of found) {
      this.#flows.set(keyOf(wanted[n]!), { last: this.#behind === 'queued' ? starts : virtual_time, weight });
    }
  }

  /** The next rank of a flow that has begun. */
  next(flow: Flow, cost: number): number {
    const begun = this.#flows.get(keyOf(flow))!;
    begun.last += Math.max(1, Math.min(1e9, Math.round(cost / begun.weight)));
    return begun.last;
  }
}
