import type { RankerModule } from '../../protocol/ranking.ts';
import type { RankerChoice, TaskRanking } from '../../queue/push/rank.ts';
import { rankWith } from '../../ranking/batch.ts';
import { createTaskRanking, type Ranking } from '../../ranking/pool.ts';
import { type Catalog, rankersOf } from '../../supervisor/catalog.ts';

interface RankersOptions {
  readonly catalog: Catalog;
  /** By scheduler, where it is not its own one. */
  readonly overrides: Readonly<Record<string, string>>;
  readonly gracePeriodSeconds: number;
  readonly now: () => number;
}

/** The schedulers' rankers in this thread: a pool of threads would answer at another moment each time. */
export async function rankInThread(options: RankersOptions): Promise<TaskRanking & RankerChoice> {
  const { catalog, overrides, gracePeriodSeconds, now } = options;
  const rankers = rankersOf(catalog, overrides);
  const modules = new Map<string, RankerModule>();
  for (const name of new Set(rankers.values()))
    modules.set(name, (await import(catalog.rankers.get(name)!)) as RankerModule);
  const ranking: Ranking = {
    rank: async (name, batch) => {
      const outcome = rankWith(modules.get(name)!, batch);
      if (!outcome.ok) throw new Error(outcome.message);
      return outcome.ranks;
    },
    describe: async (name) => {
      const { fair = false, explicitPriorities = null, inlineBelow = 0 } = modules.get(name)!;
      return { fair, explicitPriorities, inlineBelow };
    },
    names: () => [...modules.keys()].toSorted(),
    status: () => ({ threads: 0, waiting: 0, utilisation: 0, ranked: 0, failed: 0 }),
    heaps: async () => [],
    close: async () => {},
  };
  return createTaskRanking({ ranking, rankers, gracePeriodSeconds, now });
}
