import { patientConnection, query, type Sql, statement, transact, transaction } from '../../postgres/pool.ts';
import { priorityOf } from '../push/push-statement.ts';
import type { Flow } from '../push/push-statement.ts';
import { Deal } from '../push/requeue.ts';
import { notRanked, type TaskRanking } from '../push/rank.ts';

/** Tasks ranked and moved at once. */
const perBatch = 1_000;
/** A rerank of a million, its look and its moves, takes one to two minutes. */
const lookWithinMs = 900_000;

interface QueuedRow {
  readonly id: string;
  readonly hash: string;
  readonly organisation: string;
  readonly image: string;
  readonly created_ms: number;
  readonly last_run_ms: number | null;
}

/**
 * Ranks everything queued in a scheduler anew, oldest first, in batches through the ranking pool, while pushes and pops go
 * on. A fair ranker deals the tasks of each flow out again from the virtual time of their image.
 *
 * @param report after each batch: tasks looked at, and those that moved.
 * @throws RotaError RANK_FAILED, DATABASE_UNAVAILABLE: what was moved until then stays moved.
 */
export async function rerank(
  sql: Sql,
  ranking: TaskRanking,
  scheduler: string,
  report: (looked: number, moved: number) => void,
): Promise<void> {
  const { fair } = ranking.policyOf(scheduler);
  const deal = new Deal(scheduler, 'nothing');
  const ranked = async (batch: readonly QueuedRow[]) => {
    const answer = await ranking.rank(
      scheduler,
      batch.map(({ organisation, created_ms, last_run_ms }) => ({
        organisation,
        createdAt: created_ms,
        lastRunAt: last_run_ms,
        // A raw file's task is made within milliseconds of its event.
        occurredAt: created_ms,
        manual: false,
      })),
    );
    if ('failure' in answer) throw notRanked(answer.failure);
    const flows = batch.map(flowOf);
    if (fair) await deal.start(sql, flows, []);
    return batch.map(({ id, hash }, at) => {
      const rank = fair ? deal.next(flows[at]!, answer.ranks[at]!) : answer.ranks[at]!;
      return { id, hash, rank, priority: priorityOf(rank) };
    });
  };
  // Of millions it takes longer than any other statement may.
  const patient = patientConnection(sql, lookWithinMs);
  const bounded = { prepare: false, withinMs: lookWithinMs };
  await transaction(patient, async (looking) => {
    await query(
      looking,
      `DECLARE looked CURSOR WITH HOLD FOR ${statement('maintenance/rerank-look')}`,
      [scheduler],
      bounded,
    );
    // The rows are kept, the snapshot goes: open until the last batch is moved it would keep every version alive that
    // moves and claims leave behind. The driver's own commit then finds nothing to do. Not a reserved connection: only of
    // transactions does the driver survive a lost one (src/postgres/driver.ts).
    await query(looking, 'COMMIT', [], bounded);
    const look = () => query<QueuedRow>(looking, `FETCH ${perBatch} FROM looked`, [], bounded);
    try {
      // All flows begin at one time: later ones would begin behind what was popped meanwhile.
      if (fair) {
        const flows = await query<Omit<Flow, 'manual'>>(
          looking,
          statement('maintenance/queued-flows'),
          [scheduler],
          bounded,
        );
        await deal.start(sql, flows.map(flowOf), []);
      }
      let batch = await look();
      let wanted = batch.length > 0 ? await ranked(batch) : [];
      while (batch.length > 0) {
        const moving = transact(() =>
          query<{ moved: number }>(sql, statement('maintenance/rerank'), [scheduler, JSON.stringify(wanted)]),
        );
        // Looked at and ranked while the last batch is written.
        const following = look().then(async (rows) => ({ rows, wanted: rows.length > 0 ? await ranked(rows) : [] }));
        // Awaited below: a batch that is moved is reported even if the next one fails.
        following.catch(() => {});
        const [row] = await moving;
        report(batch.length, row!.moved);
        const next = await following;
        batch = next.rows;
        wanted = next.wanted;
      }
    } finally {
      await query(looking, 'CLOSE looked', [], bounded).catch(() => {});
    }
  }).finally(() => patient.end({ timeout: 1 }));
}

/** What a person put first is not ranked. */
function flowOf({ organisation, image }: Omit<Flow, 'manual'>): Flow {
  return { organisation, image, manual: false };
}
