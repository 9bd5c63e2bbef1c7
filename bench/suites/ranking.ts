import type { RankedTask } from '../../src/queue/push/rank.ts';
import { batchOf } from '../../src/ranking/batch.ts';
import { createRanking } from '../../src/ranking/pool.ts';
import { readRankers } from '../../src/supervisor/catalog.ts';
import type { RankerModule } from '../../src/protocol/ranking.ts';
import { type Bench, type Case, type Suite, nameOf } from '../harness/bench.ts';

const rankers = new URL('../../actors/rankers/', import.meta.url);

export const ranking: Suite = {
  name: 'ranking',
  about: 'ranking a batch in the pool of threads, beside ranking it inline',
  run: async (bench) => {
    const files = await readRankers(rankers);
    for (const name of ['fair-share', 'recency']) {
      const inline = (await import(new URL(`${name}.ts`, rankers).href)) as RankerModule;
      const pools = [1, 2].map((threads) => ({
        threads,
        pool: createRanking({ files, threads, deadlineMs: 60_000 }),
      }));
      try {
        for (const size of [1_000, 10_000, 100_000, 1_000_000]) {
          const batch = batchOf(tasks(size), { now: 1_760_000_000_000, gracePeriodSeconds: 86_400 });
          await bench.measure('ranking', [
            timed(bench, `${name}-${nameOf(size)}-inline`, () => inline.default(batch)),
            ...pools.map(({ threads, pool }) =>
              timed(bench, `${name}-${nameOf(size)}-pool-of-${threads}`, () => pool.rank(name, batch)),
            ),
          ]);
        }
      } finally {
        await Promise.all(pools.map(({ pool }) => pool.close()));
      }
    }
    bench.want('ranking/fair-share-1m-pool-of-1', { own: 'median', atMost: 500 });
  },
};

function tasks(count: number): RankedTask[] {
  return Array.from({ length: count }, (_, at) => ({
    createdAt: (1_750_000_000 + at) * 1_000,
    lastRunAt: at % 3 === 0 ? null : (1_740_000_000 + at) * 1_000,
    occurredAt: null,
    manual: at % 1_000 === 0,
    organisation: `org-${at % 300}`,
    image: 'boefje',
  }));
}

function timed(bench: Bench, name: string, rank: () => unknown): Case {
  return {
    name,
    unit: 'ms',
    repetitions: bench.repetitions * 3,
    sample: async () => {
      const began = performance.now();
      await rank();
      return { value: performance.now() - began };
    },
  };
}
