import { type Catalog, typeOf } from '../../supervisor/catalog.ts';
import { replaceTimeAndChance } from '../../time-and-chance.ts';
import { type Random, seeded } from '../random.ts';
import { VirtualClock } from '../virtual/clock.ts';
import { MemorySchedules } from '../virtual/queue/memory-schedules.ts';
import { rankedPush } from '../virtual/queue/ranked-push.ts';
import type { Row } from '../virtual/queue/rows.ts';
import { Settlement } from '../virtual/queue/settlement.ts';
import { SimulatedQueue } from '../virtual/queue/simulated-queue.ts';
import { rankInThread } from '../virtual/rankers.ts';
import { seededChance } from '../virtual/seeded-chance.ts';
import { Arriving } from './arriving.ts';
import { Depths, type QueueOutcomes } from './depths.ts';
import { restore } from './restore.ts';
import { mostToDo, rowsHere } from './bounds.ts';
import { Service } from './service-times.ts';
import type { Snapshot } from './snapshot.ts';
import type { Standing } from './standing.ts';
import { type Push, taskOf } from './tasks-made.ts';
import { MeasuredWorkers } from './workers.ts';

export interface RunOptions {
  readonly days: number;
  readonly seed: number;
  /** Those of the supervisors. */
  readonly settings: {
    readonly gracePeriodSeconds: number;
    readonly jitterSeconds: number;
    /** 0: unlimited. */
    readonly maxSize: number;
  };
  readonly catalog: Catalog;
  /** By scheduler, where it is not its own one. */
  readonly rankers: Readonly<Record<string, string>>;
  /** Tasks that may wait beside those that wait as the days begin: as much as the memory of this process takes where absent. */
  readonly mostWaiting?: number;
}

export interface Outcomes {
  readonly queues: QueueOutcomes;
  /** By scheduler: organisations that are not told apart. */
  readonly untold: ReadonlyMap<string, ReadonlySet<string>>;
  /** Where more tasks wait than may: how many may, and after which time. */
  readonly full: { readonly most: number; readonly seconds: number } | null;
}

/** Points of time that outcomes have, the beginning not counted. */
export const pointCount = 96;
/** Organisations that are told apart. */
const organisationsTold = 1_000;
/** Tasks of one push: more may wait by no more than that. */
const atOnce = 10_000;

/** The days that follow a snapshot, on virtual time: the same for the same snapshot, options and seed. */
export async function runDays(snapshot: Snapshot, standing: Standing, options: RunOptions): Promise<Outcomes> {
  const clock = new VirtualClock(snapshot.at);
  const chanceOf = (part: number) => seeded((options.seed * 16 + part) >>> 0);
  const restored = replaceTimeAndChance({ time: clock.time, chance: seededChance(chanceOf(0), () => clock.now) });
  try {
    const { depths, queue, most, failed, fullAt } = await start(snapshot, standing, options, clock, chanceOf);
    await clock.run(snapshot.at + options.days * 86_400_000, () => failed() !== null || fullAt() !== null);
    if (failed() !== null) throw failed();
    const [queues, { untold }, at] = [depths.outcomes(waitingIn(queue)), depths, fullAt()];
    return { queues, untold, full: at === null ? null : { most, seconds: (at - snapshot.at) / 1_000 } };
  } finally {
    restored();
  }
}

async function start(
  snapshot: Snapshot,
  standing: Standing,
  options: RunOptions,
  clock: VirtualClock,
  chanceOf: (part: number) => Random,
) {
  const { catalog, rankers, settings, days } = options;
  const now = () => clock.now;
  const ranking = await rankInThread({
    catalog,
    overrides: rankers,
    gracePeriodSeconds: settings.gracePeriodSeconds,
    now,
  });
  const told = mostToDo(snapshot, days, organisationsTold);
  const depths = new Depths({ began: snapshot.at, now, told, wake: (scheduler) => workers.wake(scheduler) });
  const queue = new SimulatedQueue({
    now,
    policyOf: (scheduler) => ranking.policyOf(scheduler),
    typeOf: (scheduler) => typeOf(catalog, scheduler),
    // Those of the snapshot are followed by themselves: no push makes or moves one.
    schedules: new MemorySchedules({ now, ...settings, changed: () => {} }),
    maxSize: settings.maxSize,
    happened: depths,
    after: (ms, run) => void clock.after(ms, run),
    limits: standing.limits,
    limitArrivals: snapshot.limitArrivals,
    limitRestMs: (keys) => Math.floor(keys / 2),
    freed: (scheduler) => workers.wake(scheduler),
  });
  for (const { scheduler, organisation, weight } of standing.weights)
    queue.weights.set(`${scheduler} ${organisation}`, weight);
  const { gracePeriodSeconds } = settings;
  // Nothing is swept: no worker dies, so attempts and pauses between them decide nothing.
  const settlement = new Settlement({ queue, maxAttempts: Infinity, retryMs: 0, gracePeriodSeconds });
  let failure: unknown = null;
  let fullAt: number | null = null;
  const pushed = async (...[scheduler, all]: Parameters<Push>) => {
    for (let from = 0; from < all.length && fullAt === null; from += atOnce) {
      await pushedAtOnce(scheduler, all.slice(from, from + atOnce));
      if (depths.waiting > most) fullAt = clock.now;
    }
  };
  const pushedAtOnce = async (...[scheduler, made]: Parameters<Push>) => {
    const type = typeOf(catalog, scheduler);
    await rankedPush(
      queue,
      ranking,
      scheduler,
      made.map((it) => taskOf(type, it, clock.now)),
    );
  };
  const push: Push = (scheduler, made) => void pushed(scheduler, made).catch((error: unknown) => (failure ??= error));
  const chances = chanceOf(1);
  const workers = new MeasuredWorkers({
    clock,
    queue,
    settlement,
    counts: standing.workers,
    services: new Map(snapshot.schedulers.map((it) => [it.name, new Service(it, chances)])),
    completed: (row) => arriving.completed(row),
  });
  const arriving = new Arriving({ snapshot, clock, random: chanceOf(2), queue, settings, days, push });
  restore({ snapshot, standing, queue, depths, workers, typeOf: (scheduler) => typeOf(catalog, scheduler) });
  const most = depths.waiting + (options.mostWaiting ?? rowsHere());
  depths.point();
  clock.every((days * 86_400_000) / pointCount, () => depths.point());
  arriving.start();
  return { depths, queue, most, failed: () => failure, fullAt: () => fullAt };
}

function* waitingIn(queue: SimulatedQueue): Iterable<Row> {
  for (const { rows } of queue.schedulers()) yield* rows.byHash.values();
}
