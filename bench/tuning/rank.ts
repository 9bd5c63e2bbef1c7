import { batchOf } from '../../src/ranking/batch.ts';
import { createRanking } from '../../src/ranking/pool.ts';

const rankersDirectory = new URL('../../actors/rankers/', import.meta.url);
const count = 1_000_000;
const repetitions = 5;

/** @returns tasks per second */
export async function rankOnce(threads: number): Promise<number> {
  const pool = createRanking({ rankersDirectory, threads, deadlineMs: 60_000 });
  try {
    const batch = batchOf(
      Array.from({ length: count }, (_, at) => ({
        createdAt: (1_750_000_000 + at) * 1_000,
        lastRunAt: (1_740_000_000 + at) * 1_000,
        occurredAt: null,
        manual: false,
        organisation: `org-${at % 300}`,
      })),
      { now: 1_760_000_000_000, gracePeriodSeconds: 86_400, fairness: null },
    );
    // The threads start at the first.
    await pool.rank('recency', batch);
    const began = performance.now();
    for (let at = 0; at < repetitions; at += 1) await pool.rank('recency', batch);
    return ((count * repetitions) / (performance.now() - began)) * 1_000;
  } finally {
    await pool.close();
  }
}
