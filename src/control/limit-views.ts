import type { HoldingLimit, LimitMatchView, LimitView, WindowView } from '../protocol/limits.ts';
import type { ExplanationView, StartEstimate, TaskView } from '../protocol/operator-lists.ts';
import { windowAt } from '../queue/limits/hours.ts';
import type { LimitedTask } from '../queue/limits/limit.ts';
import type { LimitPlace, Limits } from '../queue/limits/limits.ts';
import type { HeldByLimit, Limit } from '../queue/limits/view.ts';
import type { TaskData } from '../tasks/task.ts';
import { age, subjectOf } from './wording.ts';

/** Rows that a list counts at most of each limit. */
export const countedAtMost = 10_000;

function matchView({ scheduler, organisation, plugin, image, ooiType, exemptManual }: Limit): LimitMatchView {
  return { scheduler, organisation, boefje: plugin, image, ooi_type: ooiType, exempt_manual: exemptManual };
}

function heldView(limit: Limit, { waiting, oldest_seconds }: HeldByLimit) {
  const { name, note, setBy, changedAt, isApplying, admitted } = limit;
  return {
    name,
    ...matchView(limit),
    note,
    set_by: setBy,
    changed_at: changedAt,
    applying: isApplying,
    admitted,
    waiting,
    waiting_is_least: waiting >= countedAtMost,
    oldest_seconds,
  };
}

export function limitView(limit: Limit, held: HeldByLimit): LimitView {
  const { template, spacingMs, burst, concurrency, fallbacks } = limit;
  const rate = spacingMs === null ? null : rateFrom(spacingMs);
  return {
    ...heldView(limit, held),
    key: template,
    rate,
    burst,
    concurrency,
    waiting_keys: held.keys,
    unread: fallbacks,
  };
}

export function windowView(limit: Limit, held: HeldByLimit, now: number): WindowView {
  const hours = limit.hours!;
  const { open, until: changes } = windowAt(hours, now);
  const times =
    'cron' in hours
      ? { cron: hours.cron, seconds: hours.seconds, from: null, until: null }
      : { cron: null, seconds: null, from: hours.from, until: hours.until };
  return {
    ...heldView(limit, held),
    zone: hours.zone,
    ...times,
    open,
    changes_at: changes === null ? null : iso(changes),
  };
}

/** As people say it: 1 in 2 s, 5 in 1 s. */
function rateFrom(spacingMs: number): { tasks: number; seconds: number } {
  if (spacingMs >= 1_000) return { tasks: 1, seconds: spacingMs / 1_000 };
  return { tasks: Number((1_000 / spacingMs).toFixed(6)), seconds: 1 };
}

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
] as const;

/** As `rota limits set --rate` takes it: `1/s`, `1/5m`. */
export function rateInShort({ tasks, seconds }: { tasks: number; seconds: number }): string {
  const [unit, length] = units.find(([, of]) => seconds % of === 0) ?? ['s', 1];
  const every = seconds / length;
  return `${tasks}/${every === 1 ? '' : every}${unit}`;
}

/** `1/s`, `1/5m`, `at most 3 at once`. */
export function limitInShort({ spacingMs, concurrency }: Pick<Limit, 'spacingMs' | 'concurrency'>): string {
  const rate = spacingMs === null ? null : rateFrom(spacingMs);
  const parts = [
    ...(rate === null ? [] : [rateInShort(rate)]),
    ...(concurrency === null ? [] : [`at most ${concurrency} at once`]),
  ];
  return parts.join(', ');
}

/** What a limit does to one task, in words too. */
export function holdingOf({ limit, key, fellBack, before, taken, readyMs }: LimitPlace, now: number): HoldingLimit {
  const { name, kind, hours, spacingMs, burst, concurrency, note, setBy } = limit;
  const about = { name, kind, note, set_by: setBy, key, unread: fellBack, before, taken };
  if (hours !== null) {
    const { open, until } = windowAt(hours, now);
    const starts = open ? now : until;
    const change = until === null ? 'for good' : `${open ? 'until' : 'opens at'} ${wallText(until, hours.zone)}`;
    const fact = `window ${name}: ${open ? `open ${change}` : until === null ? 'never opens again' : change}`;
    return { ...about, starts_at: starts === null ? null : iso(starts), fact };
  }
  // By the rate: a concurrency's pace is that of the workers.
  const ready = Math.max(now, (readyMs ?? now) - (burst - 1) * (spacingMs ?? 0));
  const full = concurrency !== null && taken + before >= concurrency;
  const starts = full ? null : ready + before * (spacingMs ?? 0);
  const place = `${before} before it${concurrency === null ? '' : `, ${taken} at work`}`;
  const wait = starts === null ? '' : starts - now < 1_000 ? ', at once' : `, about ${age((starts - now) / 1_000)}`;
  const unread = fellBack ? '; its value cannot be read, so that it is limited by its OOI' : '';
  return {
    ...about,
    starts_at: starts === null ? null : iso(starts),
    fact: `limit ${name} ${limitInShort(limit)}: ${place}${wait}${unread}`,
  };
}

/** `2026-12-28 22:00 Europe/Amsterdam`. */
function wallText(instant: number, zone: string): string {
  const wall = Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone).toPlainDateTime();
  return `${wall.toString({ smallestUnit: 'minute' }).replace('T', ' ')} ${zone}`;
}

export interface LimitingPorts {
  readonly limits: Pick<Limits, 'places'>;
}

/** Limits and windows that hold a queued task, or would hold one that is not queued. */
export async function limitsOf(
  limits: Pick<Limits, 'places'>,
  now: number,
  {
    scheduler,
    organisation,
    plugin,
    data,
  }: Pick<LimitedTask, 'scheduler' | 'organisation' | 'plugin'> & { readonly data: TaskData },
  task: TaskView | null,
): Promise<readonly HoldingLimit[]> {
  const queued = task?.queue ?? null;
  if ((queued !== null && queued.limit === null) || task?.lease) return [];
  const { ooi } = subjectOf(data);
  const image = imageOf(data);
  const about = { scheduler, organisation, plugin, image, ooi, manual: queued !== null && task?.priority === 1 };
  const places = await limits.places(about, queued === null ? null : task!.id);
  return places
    .map((place) => holdingOf(place, now))
    .filter((it) => it.starts_at === null || Date.parse(it.starts_at) - now > 1_000);
}

export function wayOf({ kind, fact, note, set_by: by }: HoldingLimit): ExplanationView['in_the_way'][number] {
  return { what: kind, fact: fact.slice(kind.length + 1), note, by };
}

/** Of what a limit holds: when the last of them lets it go. */
export function startBy(holding: readonly HoldingLimit[], start: StartEstimate): StartEstimate {
  const times = holding.map(({ starts_at: at }) => at);
  if (start.unknown !== 'limited' || times.length === 0 || times.includes(null)) return start;
  return {
    ...start,
    estimated_start_at: times
      .filter((at) => at !== null)
      .toSorted()
      .at(-1)!,
    unknown: null,
  };
}

function imageOf(data: TaskData): string | null {
  const { boefje } = data;
  const image = typeof boefje === 'object' && boefje !== null ? (boefje as TaskData)['oci_image'] : null;
  return typeof image === 'string' ? image : null;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
