import {
  patientConnection,
  query,
  queryByKey,
  type Sql,
  statement,
  transact,
  transaction,
} from '../../postgres/pool.ts';
import type { RankedPreview } from '../../protocol/operator-organisations.ts';
import { priorityOf } from '../push/push-statement.ts';
import type { Flow } from '../push/push-statement.ts';
import { costOf, Deal } from '../push/requeue.ts';
import { notRanked, type RankedTask, type RankerChoice, type TaskRanking } from '../push/rank.ts';

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
    const answer = await ranking.rank(scheduler, batch.map(featuresOf));
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

/** Tasks that a preview ranks. */
const previewed = 10_000;
/** Of these, the next whose organisations it counts; half at most, since all of them are the same tasks in any order. */
const countedOf = (looked: number) => Math.min(1_000, Math.ceil(looked / 2));
/** A person waits for a preview, and may give it up. */
const previewWithinMs = 3_000;

interface PreviewRow extends Omit<QueuedRow, 'id' | 'hash'> {
  readonly weight: number;
  readonly is_first: boolean;
}

/**
 * Who would be next if the first 10 000 tasks of a scheduler that may be popped were ranked by `ranker`: of the next 1 000, or half of fewer
 * than 2 000, the organisations, as it is and with it. Nothing is written or locked. A fair ranker deals as if all organisations and images began now, which is what
 * a rerank does but for images that are behind the others.
 *
 * @throws RotaError RANK_FAILED, MAILBOX_FULL, DATABASE_UNAVAILABLE
 */
export async function previewRerank(
  sql: Sql,
  rankers: Pick<RankerChoice, 'rankBy'>,
  scheduler: string,
  ranker: string,
): Promise<RankedPreview> {
  // One more tells whether there are more.
  const found = await transact(() =>
    queryByKey<PreviewRow>(sql, statement('maintenance/rerank-preview'), [scheduler, previewed + 1], {
      withinMs: previewWithinMs,
    }),
  );
  const rows = found.slice(0, previewed);
  const ranked = rows.filter((row) => !row.is_first);
  const { fair, ranks } = await rankers.rankBy(ranker, ranked.map(featuresOf));
  const last = new Map<string, number>();
  const places = ranked.map((row, at) => {
    if (!fair) return { row, rank: ranks[at]! };
    const flow = JSON.stringify([row.organisation, row.image]);
    const rank = (last.get(flow) ?? 0) + costOf(ranks[at]!, row.weight);
    last.set(flow, rank);
    return { row, rank };
  });
  // The rows stand in their order of now, which an equal rank keeps where it was made at the same time.
  const after = places.toSorted((a, b) => a.rank - b.rank || a.row.created_ms - b.row.created_ms).map(({ row }) => row);
  const first = rows.filter((row) => row.is_first);
  const counted = countedOf(rows.length);
  return {
    looked: rows.length,
    looked_is_least: found.length > previewed,
    counted,
    organisations: changesOf(rows.slice(0, counted), [...first, ...after].slice(0, counted)),
  };
}

function changesOf(before: readonly PreviewRow[], after: readonly PreviewRow[]): RankedPreview['organisations'] {
  const [was, is] = [placesOf(before), placesOf(after)];
  const none = { count: 0, first: null };
  const names = [...new Set([...was.keys(), ...is.keys()])];
  const all = names.map((name) => ({ name, before: was.get(name) ?? none, after: is.get(name) ?? none }));
  const change = ({ before, after }: (typeof all)[number]) => Math.abs(after.count - before.count);
  return all.toSorted((a, b) => change(b) - change(a) || b.before.count - a.before.count || (a.name < b.name ? -1 : 1));
}

/** Of each organisation how many are among them, and the place of its first, from 1. */
function placesOf(rows: readonly PreviewRow[]): ReadonlyMap<string, { count: number; readonly first: number }> {
  const found = new Map<string, { count: number; readonly first: number }>();
  for (const [at, { organisation }] of rows.entries()) {
    const known = found.get(organisation);
    if (known === undefined) found.set(organisation, { count: 1, first: at + 1 });
    else known.count += 1;
  }
  return found;
}

function featuresOf({ organisation, created_ms, last_run_ms }: Omit<QueuedRow, 'id' | 'hash' | 'image'>): RankedTask {
  // A raw file's task is made within milliseconds of its event.
  return { organisation, createdAt: created_ms, lastRunAt: last_run_ms, occurredAt: created_ms, manual: false };
}

/** What a person put first is not ranked. */
function flowOf({ organisation, image }: Omit<Flow, 'manual'>): Flow {
  return { organisation, image, manual: false };
}
