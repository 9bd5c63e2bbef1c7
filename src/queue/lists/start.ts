import type { StartEstimate } from '../../protocol/operator-lists.ts';

/** The time over which rates are measured: at one task a minute, five. */
const lookBackSeconds = 300;
/** At least 10 s: rates are stored every two seconds, and a shorter time would be measured wrong by more than a tenth. */
export const lookBack = [lookBackSeconds, 10] as const;

/** Tasks handed out over the last minutes. */
export interface FlowRow {
  readonly now_ms: number;
  /** Of the last one of a pop that asked for them. */
  readonly asked_ms: number | null;
  /** Null where no supervisor has counted yet. */
  readonly seconds: number | null;
  readonly tasks: number;
  /** Of the part of that time in which there surely was one to hand out. */
  readonly busy_seconds: number;
  readonly busy_tasks: number;
}

/** Of all queued tasks (image ''), or of those of one image. */
export interface StartRow extends FlowRow {
  readonly image: string;
  readonly before: number;
  /** Of `tasks`, to pops without a filter. */
  readonly any_image: number;
  /** Under fair-share, where a rank is a virtual time: how fast that went lately, and how far the task's is away. */
  readonly ranks_per_second: number | null;
  readonly ranks_before: number | null;
}

export function notInLine(unknown: NonNullable<StartEstimate['unknown']>): StartEstimate {
  const nothing = { among: null, before: null, before_is_least: false, per_second: null, over_seconds: null };
  return { estimated_start_at: null, unknown, image: null, ...nothing, asked_at: null };
}

/**
 * A task is reached by the workers of its image, which go through the tasks of that image, or by those without a filter, which go
 * through all: by whom it is reached first. Workers that ask by plug-in or organisation count as those of the images that they
 * got.
 */
export function startOf(rows: readonly StartRow[], most: number): StartEstimate {
  const all = rows.find(({ image }) => image === '');
  // It was popped, or held, since it was looked at.
  if (all === undefined) return notInLine('not-queued');
  const own = rows.find(({ image }) => image !== '');
  const ways = [
    ...(own !== undefined && own.tasks > own.any_image ? [{ among: 'image' as const, row: own }] : []),
    ...(all.any_image > 0 || (own === undefined && all.tasks > 0) ? [{ among: 'all' as const, row: all }] : []),
  ].map((way) => ({ ...way, ...paceOf(way.row) }));
  const [first = null] = ways.toSorted((a, b) => secondsUntil(a) - secondsUntil(b));
  const { among, row, perSecond, overSeconds } = first ?? {
    among: own === undefined ? ('all' as const) : ('image' as const),
    row: own ?? all,
    perSecond: null,
    overSeconds: null,
  };
  const askedMs = Math.max(all.asked_ms ?? 0, own?.asked_ms ?? 0);
  const silent = isSilent(all.now_ms, askedMs, perSecond);
  const told = first !== null && !silent;
  return {
    estimated_start_at: told ? isoOf(all.now_ms + secondsUntil(first) * 1_000) : null,
    unknown: told ? null : silent ? 'nobody-asks' : 'none-handed-out',
    image: own?.image ?? null,
    among,
    before: row.before,
    before_is_least: row.before >= most,
    per_second: perSecond,
    over_seconds: overSeconds,
    asked_at: askedMs === 0 ? null : isoOf(askedMs),
  };
}

/**
 * Until so many are handed out, and then itself. Under fair-share other organisations' tasks come later and go before: as many as
 * lately, where virtual time goes on as it did. It is no earlier by either.
 */
function secondsUntil({ row, perSecond }: { readonly row: StartRow; readonly perSecond: number }): number {
  const byCount = (row.before + 1) / perSecond;
  const { ranks_before: ranks, ranks_per_second: ranksPerSecond } = row;
  return ranks === null || ranksPerSecond === null || ranksPerSecond <= 0
    ? byCount
    : Math.max(byCount, ranks / ranksPerSecond);
}

/** Fewer tell too little about a rate: their number varies by a third. */
const fewest = 10;

/** While there was work all the time, where that tells enough; else over the whole of the last minutes. */
export function paceOf(row: FlowRow): { readonly perSecond: number; readonly overSeconds: number } {
  const [tasks, seconds] =
    row.busy_tasks >= fewest ? [row.busy_tasks, row.busy_seconds] : [row.tasks, row.seconds ?? lookBackSeconds];
  // What was handed out in the last second, on average, is not stored yet.
  const overSeconds = Math.max(1, seconds - 1);
  return { perSecond: tasks / overSeconds, overSeconds };
}

/** Workers that are busy ask again when they are done: after ten times as long as one takes between two tasks they are gone. */
export function isSilent(nowMs: number, askedMs: number, perSecond: number | null): boolean {
  const longestMs = perSecond === null ? lookBackSeconds * 1_000 : Math.max(60_000, 10_000 / perSecond);
  return nowMs - askedMs > longestMs;
}

export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
