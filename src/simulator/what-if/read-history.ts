import type { HistoryBounds } from './bounds.ts';
import type { Arrivals, SchedulerSnapshot, ServiceTimes, Snapshot } from './snapshot.ts';

type SchedulerHistory = Pick<SchedulerSnapshot, 'service' | 'serviceOfAll' | 'arrivals' | 'atOnce'>;

interface History extends Pick<Snapshot, 'follows' | 'cut'> {
  readonly schedulers: ReadonlyMap<string, SchedulerHistory>;
}

const daySeconds = 86_400;
/** Of a scheduler, the newest first. */
const lookedAt = 400_000;
/** Of a database that is younger it is not known how it goes on. */
const leastSeconds = 3_600;
/** Fewer ends say nothing: then those are looked at that were made before the first task that waits. */
const fewEndsInADay = 20;

/** Epoch milliseconds: of the snapshot, and when the oldest task was made. */
interface Age {
  readonly now: number;
  readonly oldest: number | null;
}

/** Asks a statement of sql/queue within the time that the snapshot has. */
type Ask = <Row extends object>(name: string, values: readonly unknown[]) => Promise<readonly Row[]>;

/** The last day of the table of tasks: what came, what it led to, and how long it took. */
export async function readHistory(
  ask: Ask,
  schedulers: readonly string[],
  age: Age,
  { groups, plugins }: HistoryBounds,
): Promise<History> {
  const histories = new Map<string, SchedulerHistory>();
  const cut: string[] = [];
  /** Of boefjes that completed, in a second. */
  const completions = new Map<string, number>();
  const follows = new Map<string, Map<string, number>>();
  for (const name of schedulers) {
    const { all, service, atOnce, seconds, isCut } = await serviceOf(ask, name, age, plugins);
    if (isCut)
      cut.push(`of the tasks of ${name} that ended those of the ${plugins} most frequent plug-ins are told apart`);
    if (name === 'boefje')
      for (const [plugin, { completed }] of service) if (completed > 0) completions.set(plugin, completed / seconds);
    const found = await ask<ArrivalRow>('what-if/arrivals', [name, daySeconds, lookedAt, groups + 1]);
    const rows = found.slice(0, groups);
    if (found.length > groups)
      cut.push(`of the tasks of ${name} that no schedule makes the ${groups} most frequent kinds are followed`);
    if ((rows[0]?.looked ?? 0) >= lookedAt)
      cut.push(`of the tasks of ${name} that were made in the last day the newest ${lookedAt} were looked at`);
    const arrivals: Arrivals[] = [];
    for (const row of rows) {
      const { organisation, plugin, image, manual, boefje } = row;
      const perSecond = row.count / secondsOf(row, age);
      const completed = boefje === null ? undefined : completions.get(boefje);
      if (completed === undefined) arrivals.push({ organisation, plugin, image, manual, perSecond });
      else addTo(follows, boefje!, plugin!, perSecond / completed);
    }
    histories.set(name, { service, serviceOfAll: all, arrivals, atOnce });
  }
  return { schedulers: histories, follows, cut };
}

function addTo(follows: Map<string, Map<string, number>>, boefje: string, normalizer: string, count: number): void {
  const normalizers = follows.get(boefje) ?? new Map<string, number>();
  follows.set(boefje, normalizers.set(normalizer, (normalizers.get(normalizer) ?? 0) + count));
}

/** How long a time what was looked at is of: a day, unless there was more than is looked at, or the database is younger. */
function secondsOf({ looked, since_ms: since }: Looked, { now, oldest }: Age): number {
  const from = looked >= lookedAt ? since : oldest;
  return from === null ? daySeconds : Math.min(daySeconds, Math.max(leastSeconds, (now - from) / 1_000));
}

async function serviceOf(ask: Ask, scheduler: string, age: Age, most: number) {
  // One row is that of all.
  const endsBefore = (before: string) =>
    ask<ServiceRow>('what-if/service', [scheduler, daySeconds, before, lookedAt, most + 2]);
  let rows = await endsBefore(new Date(age.now + 1_000).toISOString());
  if (rows[0]!.ended < fewEndsInADay) {
    const [first] = await ask<{ made_at: string | null }>('what-if/first', [scheduler]);
    const older = first!.made_at === null ? rows : await endsBefore(first!.made_at);
    if (older[0]!.ended > rows[0]!.ended) rows = older;
  }
  const [all, ...plugins] = rows as [ServiceRow, ...ServiceRow[]];
  const timesOf = ({ ended, completed, quantiles }: ServiceRow): ServiceTimes => ({ ended, completed, quantiles });
  return {
    all: all.ended === 0 ? null : timesOf(all),
    service: new Map(
      plugins.slice(0, most).flatMap((row) => (row.plugin === null ? [] : [[row.plugin, timesOf(row)] as const])),
    ),
    atOnce: { lately: all.at_once_lately ?? 0, day: all.at_once ?? 0 },
    seconds: secondsOf(all, age),
    isCut: plugins.length > most,
  };
}

interface Looked {
  readonly looked: number;
  readonly since_ms: number | null;
}

interface ServiceRow extends ServiceTimes, Looked {
  readonly plugin: string | null;
  readonly at_once: number | null;
  readonly at_once_lately: number | null;
}

interface ArrivalRow extends Omit<Arrivals, 'perSecond'>, Looked {
  readonly boefje: string | null;
  readonly count: number;
}
