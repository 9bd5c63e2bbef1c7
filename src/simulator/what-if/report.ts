import { age } from '../../control/wording.ts';
import { type QueueOutcome, type QueueOutcomes } from './depths.ts';
import { type Outcomes, pointCount, runDays, type RunOptions } from './run.ts';
import type { SchedulerSnapshot, Snapshot } from './snapshot.ts';
import { type Standing, standingOf } from './standing.ts';

/** What a scheduler was seen to do, and what was assumed of it. */
interface SchedulerFacts {
  readonly ranker: string;
  readonly queued: number;
  readonly in_hand: number;
  /** That fall due in these days. */
  readonly schedules: number;
  /** Tasks that are worked on at once: as was seen, and with the change. */
  readonly workers: { readonly seen: number; readonly with_change: number };
  /** Half of the tasks of the last day took no longer; null where none ended. */
  readonly seconds_a_task: number | null;
  /** Tasks that ended in the last day, of those that were looked at. */
  readonly ended: number;
  /** Tasks an hour that no schedule makes and that follow no boefje. */
  readonly arrivals_an_hour: number;
}

interface QueueReport {
  readonly scheduler: string;
  /** Null: all. */
  readonly organisation: string | null;
  readonly as_it_is: QueueOutcome;
  /** Null where nothing is changed. */
  readonly with_change: QueueOutcome | null;
}

export interface WhatIfReport {
  /** ISO. */
  readonly at: string;
  readonly days: number;
  readonly seed: number;
  readonly grace_period_seconds: number;
  readonly schedulers: Readonly<Record<string, SchedulerFacts>>;
  /** Where a run ended early, since more tasks waited than the memory takes. */
  readonly full_after_seconds: { readonly as_it_is: number | null; readonly with_change: number | null };
  /** What was left out, a sentence each. */
  readonly cut: readonly string[];
  /** Seconds from the beginning, of `depth` and `waited`. */
  readonly points: readonly number[];
  /** Of each scheduler all first, then the organisations with most tasks. */
  readonly queues: readonly QueueReport[];
  /** Organisations that are not told apart, by scheduler. */
  readonly others: Readonly<Record<string, number>>;
}

/** Of each scheduler. */
const organisationsAtMost = 100;

const nothing: QueueOutcome = {
  now: 0,
  most: 0,
  end: 0,
  wait: { p50: null, p99: null },
  worked_off_seconds: 0,
  handed_out: 0,
  depth: Array.from({ length: pointCount + 1 }, () => 0),
  waited: Array.from({ length: pointCount + 1 }, () => null),
};

/** The days that follow a snapshot as it is, and with a change where there is one. */
export async function whatIf(snapshot: Snapshot, changed: Standing | null, options: RunOptions): Promise<WhatIfReport> {
  const standing = standingOf(snapshot);
  const before = await runDays(snapshot, standing, options);
  const after = changed === null ? null : await runDays(snapshot, changed, options);
  const { days, seed, settings } = options;
  const queues: QueueReport[] = [];
  const others: Record<string, number> = {};
  for (const { name } of snapshot.schedulers) {
    const all = queuesOf(name, before.queues, after?.queues ?? null);
    queues.push(...all.slice(0, organisationsAtMost + 1));
    const untold = new Set([...(before.untold.get(name) ?? []), ...(after?.untold.get(name) ?? [])]);
    const left = Math.max(0, all.length - organisationsAtMost - 1) + untold.size;
    if (left > 0) others[name] = left;
  }
  return {
    at: new Date(snapshot.at).toISOString(),
    days,
    seed,
    grace_period_seconds: settings.gracePeriodSeconds,
    schedulers: Object.fromEntries(
      snapshot.schedulers.map((it) => [it.name, factsOf(it, snapshot, { standing, changed, options })]),
    ),
    full_after_seconds: { as_it_is: before.full?.seconds ?? null, with_change: after?.full?.seconds ?? null },
    cut: [...snapshot.cut, ...fullText('as it is', before), ...fullText('with the change', after)],
    points: Array.from({ length: pointCount + 1 }, (_none, at) => Math.round((at * days * 86_400) / pointCount)),
    queues,
    others,
  };
}

function fullText(which: string, run: Outcomes | null): readonly string[] {
  if (run === null || run.full === null) return [];
  const { most, seconds } = run.full;
  return [`${which}, more than ${most} tasks wait after ${age(seconds)}: the time after that is left out`];
}

function queuesOf(scheduler: string, before: QueueOutcomes, after: QueueOutcomes | null): readonly QueueReport[] {
  const [was, is] = [before.get(scheduler), after?.get(scheduler)];
  const names = [...new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])];
  const weightOf = ({ organisation, as_it_is: one, with_change: other }: QueueReport) =>
    organisation === null
      ? Infinity
      : Math.max(one.most, other?.most ?? 0) * 1e6 + Math.max(one.handed_out, other?.handed_out ?? 0);
  return names
    .map((name): QueueReport => ({
      scheduler,
      organisation: name,
      as_it_is: was?.get(name) ?? nothing,
      with_change: after === null ? null : (is?.get(name) ?? nothing),
    }))
    .toSorted((a, b) => {
      const [one, other] = [weightOf(a), weightOf(b)];
      return one === other ? (a.organisation! < b.organisation! ? -1 : 1) : other - one;
    });
}

function factsOf(
  { name, queued, schedules, serviceOfAll, arrivals }: SchedulerSnapshot,
  { leases }: Snapshot,
  {
    standing,
    changed,
    options,
  }: { readonly standing: Standing; readonly changed: Standing | null; readonly options: RunOptions },
): SchedulerFacts {
  const definition = options.catalog.actors.find((actor) => actor.name === name)!.definition;
  const seen = standing.workers.get(name) ?? 0;
  const quantiles = serviceOfAll?.quantiles;
  const perHour = arrivals.reduce((sum, { perSecond }) => sum + perSecond, 0) * 3_600;
  return {
    ranker: options.rankers[name] ?? definition.ranker,
    queued: queued.length,
    in_hand: leases.filter(({ scheduler }) => scheduler === name).length,
    schedules: schedules.length,
    workers: { seen, with_change: changed?.workers.get(name) ?? seen },
    seconds_a_task: quantiles === undefined ? null : Math.round(quantiles[(quantiles.length - 1) >> 1]! * 10) / 10,
    ended: serviceOfAll?.ended ?? 0,
    arrivals_an_hour: Math.round(perHour * 10) / 10,
  };
}
