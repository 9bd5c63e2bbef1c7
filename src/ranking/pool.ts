import { extname } from 'node:path';
import { Piscina } from 'piscina';
import { codeOf, RotaError } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { RankBatch, RankerModule, Ranks } from '../protocol/ranking.ts';
import type { RankAnswer, RankedTask, RankerChoice, RankPolicy, TaskRanking } from '../queue/push/rank.ts';
import { emit } from '../telemetry/events.ts';
import {
  batchOf,
  type DescribeOutcome,
  join,
  type RankerTraits,
  type RankOutcome,
  rankWith,
  splitBatch,
} from './batch.ts';
import { time } from '../time-and-chance.ts';

/** Ranks by a ranker's name. What the queue uses. */
export interface Ranking {
  /**
   * @throws RotaError RANK_FAILED with `fields.reason` `threw`, `nonsense` or `hung`: this batch alone has failed;
   *   MAILBOX_FULL where too many batches wait; BAD_CONFIG for a ranker there is not.
   */
  rank(ranker: string, batch: RankBatch): Promise<Ranks>;
  /** @throws RotaError BAD_CONFIG: no such ranker (the message names those there are), or its file is not one. */
  describe(ranker: string): Promise<RankerTraits>;
  /** Sorted. */
  names(): readonly string[];
  status(): RankingStatus;
  /** Bytes of heap in use by each thread that there is now. */
  heaps(): Promise<readonly number[]>;
  /** Batches in flight fail; no thread is left. */
  close(): Promise<void>;
}

export interface RankingStatus {
  readonly threads: number;
  readonly waiting: number;
  /** Of the pool's threads since they started: 0 to 1. */
  readonly utilisation: number;
  readonly ranked: number;
  readonly failed: number;
}

interface RankingOptions {
  /** The URL of each ranker's file, by its name. */
  readonly files: ReadonlyMap<string, string>;
  readonly threads: number;
  /** A batch whose ranker runs longer is given up, and its thread ended. */
  readonly deadlineMs: number;
  /** Batches that wait for a thread before new ones are refused. */
  readonly maxQueue?: number;
}

/**
 * Tasks per part at least, when a batch is split over threads. Medians in ms, two threads on two busy cores; `heavy` is
 * a ranker of 0.6 µs a task:
 *
 * | tasks     | recency inline | recency in a thread | heavy in a thread | heavy, split in two |
 * |-----------|----------------|---------------------|-------------------|---------------------|
 * | 1         | 0.001          | 0.08–0.13           |                   |                     |
 * | 100       | 0.003–0.011    | 0.10–0.13           |                   |                     |
 * | 10 000    | 0.13           | 0.25–0.29           | 6.2               | 6.4                 |
 * | 100 000   | 1.6–5          | 1.9–2.0             | 60                | 62                  |
 * | 1 000 000 | 26–36          | 18–34               |                   |                     |
 *
 * So a thread costs 0.1 ms and a split as much again, even where no second core is free to gain from it: nothing beside
 * a part of 5 000 tasks of a heavy ranker (3 ms). The shipped rankers cost 0.01–0.03 µs a task and vouch for less than
 * 100 000: there inline is as quick as a thread, and holds up the main thread's pops for 1–2 ms; a million would for
 * 30.
 */
const partSize = 5_000;
/** How long an idle thread lives: a hundred times what one takes to start, so that bursts find them warm. */
const idleTimeoutMs = 10_000;
/** V8's default is 48 MB for each thread; ranks are typed arrays, which are outside of the heap. */
const youngMb = 12;

export function createRanking(options: RankingOptions): Ranking {
  const { files, threads, deadlineMs } = options;
  const maxQueue = options.maxQueue ?? 1_000;
  const pool = new Piscina({
    filename: new URL(`batch${extname(import.meta.url)}`, import.meta.url).href,
    minThreads: 1,
    maxThreads: threads,
    maxQueue,
    idleTimeout: idleTimeoutMs,
    resourceLimits: { maxYoungGenerationSizeMb: youngMb },
  });
  // A thread that dies at start (out of memory, say) also rejects its batch; nothing else is to be done about it.
  pool.on('error', () => {});
  const rankers = new Map<string, Promise<LoadedRanker>>();
  const names = () => [...files.keys()].toSorted();
  let inFlight = 0;
  let ranked = 0;
  let failed = 0;

  return {
    async rank(name, batch) {
      const ranker = await load(name);
      const from = time.monotonicMs();
      const tell = (failure: string | null) =>
        emit({ name: 'batch.ranked', ranker: name, tasks: batch.count, ms: time.monotonicMs() - from, failure });
      try {
        const ranks = await rankBy(ranker, batch);
        ranked += 1;
        tell(null);
        return ranks;
      } catch (error) {
        failed += 1;
        tell(reasonOf(error));
        throw error;
      }
    },
    describe: async (name) => (await load(name)).traits,
    names,
    status: () => ({
      threads: pool.threads.length,
      waiting: pool.queueSize,
      utilisation: pool.utilization,
      ranked,
      failed,
    }),
    heaps: () =>
      Promise.all(
        pool.threads.map(async (thread) => {
          // Null for a thread that ends meanwhile.
          const heap = await thread.getHeapStatistics().catch(() => null);
          return heap?.used_heap_size ?? null;
        }),
      ).then((bytes) => bytes.filter((used) => used !== null)),
    close: () => pool.destroy(),
  };

  async function rankBy(ranker: LoadedRanker, batch: RankBatch): Promise<Ranks> {
    if (batch.count === 0) return { ranks: new Float64Array() };
    if (ranker.inline !== null && batch.count < ranker.traits.inlineBelow) {
      return ranksOf(ranker, rankWith(ranker.inline, batch));
    }
    const parts = Math.min(threads, Math.ceil(batch.count / partSize));
    const outcomes = splitBatch(batch, parts).map(async (part) =>
      ranksOf(ranker, await run<RankOutcome>(ranker.name, { url: ranker.url, batch: part }, 'rank')),
    );
    return join(await Promise.all(outcomes));
  }

  /** A rejected look-up is forgotten: the file may be there the next time. */
  function load(name: string): Promise<LoadedRanker> {
    const known = rankers.get(name);
    if (known) return known;
    const loading = find(name);
    loading.catch(() => rankers.delete(name));
    rankers.set(name, loading);
    return loading;
  }

  async function find(name: string): Promise<LoadedRanker> {
    const url = files.get(name);
    if (url === undefined) {
      throw new RotaError('BAD_CONFIG', `no ranker ${name}; there are: ${names().join(', ')}`);
    }
    const outcome = await run<DescribeOutcome>(name, { url }, 'describe');
    if (!outcome.ok) throw new RotaError('BAD_CONFIG', `ranker ${name} (${url}): ${outcome.message}`);
    const vouches = outcome.traits.inlineBelow > 0;
    return { name, url, traits: outcome.traits, inline: vouches ? ((await import(url)) as RankerModule) : null };
  }

  /** The deadline counts from when a thread takes the batch, as estimated by the batches in front of it. */
  async function run<T>(name: string, task: unknown, entry: 'rank' | 'describe'): Promise<T> {
    if (pool.queueSize >= maxQueue) {
      throw new RotaError('MAILBOX_FULL', `${maxQueue} batches wait for the ranking pool already`);
    }
    const rounds = Math.floor(inFlight / threads) + 1;
    const signal = AbortSignal.timeout(deadlineMs * rounds);
    inFlight += 1;
    try {
      return (await pool.run(task, { name: entry, signal })) as T;
    } catch (error) {
      if (signal.aborted) throw rankFailed(name, 'hung', `no answer within ${deadlineMs} ms`);
      if (codeOf(error) !== 'BROKEN') throw error;
      throw rankFailed(name, 'threw', error instanceof Error ? error.message : String(error));
    } finally {
      inFlight -= 1;
    }
  }
}

interface LoadedRanker {
  readonly name: string;
  readonly url: string;
  readonly traits: RankerTraits;
  /** The module itself, where it vouches for being total and quick. */
  readonly inline: RankerModule | null;
}

function ranksOf(ranker: LoadedRanker, outcome: RankOutcome): Ranks {
  if (outcome.ok) return outcome.ranks;
  throw rankFailed(ranker.name, outcome.reason, outcome.message);
}

function reasonOf(error: unknown): string {
  const { code, fields } = error as { code?: string; fields?: { reason?: string } };
  return fields?.reason ?? code ?? 'BROKEN';
}

function rankFailed(ranker: string, reason: 'threw' | 'nonsense' | 'hung', message: string): RotaError {
  return new RotaError('RANK_FAILED', `ranker ${ranker} ${reason}: ${message}`, { fields: { ranker, reason } });
}

interface TaskRankingOptions {
  readonly ranking: Ranking;
  /** Name of each scheduler's ranker. */
  readonly rankers: ReadonlyMap<string, string>;
  readonly gracePeriodSeconds: number;
  /** The database's time, in epoch milliseconds: tasks that several supervisors rank are in one order. */
  readonly now: () => number;
}

/**
 * The queue's view of the pool: which ranker a scheduler has, and its tasks as columns. Reads every ranker once, so
 * that a broken one stops the start.
 */
export async function createTaskRanking(options: TaskRankingOptions): Promise<TaskRanking & RankerChoice> {
  const { ranking, rankers, gracePeriodSeconds } = options;
  const traits = new Map<string, RankerTraits>();
  for (const [scheduler, ranker] of rankers) traits.set(scheduler, await ranking.describe(ranker));
  const ownOf = (scheduler: string) => rankers.get(scheduler) ?? 'created-at';
  const rankBy = (ranker: string, tasks: readonly RankedTask[]) =>
    ranking.rank(ranker, batchOf(tasks, { now: options.now(), gracePeriodSeconds }));
  return {
    names: ranking.names,
    ownOf,
    rankBy: async (ranker, tasks) => ({ ...(await ranking.describe(ranker)), ...(await rankBy(ranker, tasks)) }),
    policyOf(scheduler): RankPolicy {
      const known = traits.get(scheduler);
      const fair = known?.fair ?? false;
      return { fair, manualOnly: fair || known?.explicitPriorities === 'manual-only' };
    },

    async rank(scheduler, tasks): Promise<RankAnswer> {
      try {
        return await rankBy(ownOf(scheduler), tasks);
      } catch (error) {
        return { failure: failureOf(error) };
      }
    },
  };
}
