import { nextRun } from '../../tasks/cron.ts';
import type { Random } from '../random.ts';
import type { VirtualClock } from '../virtual/clock.ts';
import { byTime, Heap } from '../virtual/heap.ts';
import { ooiOf, type Row } from '../virtual/queue/rows.ts';
import type { SimulatedQueue } from '../virtual/queue/simulated-queue.ts';
import type { Arrivals, DueLater, Snapshot } from './snapshot.ts';
import type { MadeTask, Push } from './tasks-made.ts';

interface ArrivingOptions {
  readonly snapshot: Snapshot;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly queue: SimulatedQueue;
  readonly settings: { readonly gracePeriodSeconds: number; readonly jitterSeconds: number };
  readonly days: number;
  readonly push: Push;
}

/** As the clock of the actors (actors/boefje/behavior.ts). */
const lookEveryMs = 60_000;
/** What events and people bring comes that much later at most. */
const arriveEveryMs = 5_000;
/** OOIs that are remembered of an organisation's boefje, for those of tasks that come. */
const oois = 16;

interface Due {
  at: number;
  readonly order: number;
  readonly scheduler: string;
  readonly schedule: DueLater;
}

interface Coming {
  at: number;
  readonly order: number;
  readonly scheduler: string;
  readonly arrivals: Arrivals;
}

/** What comes as the days go by: what falls due, what events and people bring, and what follows from what completed. */
export class Arriving {
  readonly #options: ArrivingOptions;
  readonly #due = new Heap<Due>(byTime);
  readonly #coming = new Heap<Coming>(byTime);
  readonly #until: number;
  /** By organisation and plug-in. */
  readonly #oois = new Map<string, string[]>();
  #made = 0;

  constructor(options: ArrivingOptions) {
    this.#options = options;
    const { snapshot, days } = options;
    this.#until = snapshot.at + days * 86_400_000;
    let order = 0;
    for (const { name: scheduler, schedules, arrivals, queued } of snapshot.schedulers) {
      for (const task of queued) this.#remember(task);
      for (const schedule of schedules) {
        this.#remember(schedule);
        this.#due.push({ at: schedule.deadlineAt, order: (order += 1), scheduler, schedule });
      }
      for (const of of arrivals)
        this.#coming.push({ at: this.#next(snapshot.at, of), order: (order += 1), scheduler, arrivals: of });
    }
  }

  start(): void {
    const { clock } = this.#options;
    const again = (ms: number, run: () => void) => {
      clock.settleAfter(ms, () => {
        run();
        again(ms, run);
      });
    };
    // After the moment of the snapshot: what waited then was made earlier.
    clock.settleAfter(1, () => this.#look());
    again(lookEveryMs, () => this.#look());
    again(arriveEveryMs, () => this.#arrive());
  }

  /** A boefje leads to tasks of normalizers. */
  completed({ scheduler, plugin, organisation, data }: Row): void {
    const { snapshot, random, clock, push } = this.#options;
    const follows = scheduler === 'boefje' && plugin !== null ? snapshot.follows.get(plugin) : undefined;
    if (follows === undefined) return;
    const ooi = ooiOf(data);
    const made: MadeTask[] = [];
    for (const [normalizer, mean] of follows) {
      const count = Math.floor(mean) + (random.next() < mean % 1 ? 1 : 0);
      for (let at = 0; at < count; at += 1) made.push(this.#make(organisation, normalizer, null, ooi, false));
    }
    if (made.length > 0) clock.settleAfter(0, () => push('normalizer', made));
  }

  #look(): void {
    const { clock, queue, push } = this.#options;
    const made = new Map<string, MadeTask[]>();
    for (let due = this.#due.peek(); due !== undefined && due.at <= clock.now; due = this.#due.peek()) {
      this.#due.pop();
      const { scheduler, schedule } = due;
      const { organisation, plugin, image, ooi, hash } = schedule;
      // Of what ends nothing is kept: one that is known is queued or under way, and another one is refused as `already-queued`.
      if (queue.of(scheduler).latest(hash) === undefined) {
        const task = { organisation, plugin, image, ooi, hash, manual: false, lastRunAt: this.#lastRun(due) };
        addTo(made, scheduler, task);
      }
      due.at = this.#deadlineAfter(due);
      if (due.at < this.#until) this.#due.push(due);
    }
    for (const [scheduler, tasks] of made) push(scheduler, tasks);
  }

  #arrive(): void {
    const { clock, push } = this.#options;
    const made = new Map<string, MadeTask[]>();
    for (let next = this.#coming.peek(); next !== undefined && next.at <= clock.now; next = this.#coming.peek()) {
      this.#coming.pop();
      const { scheduler, arrivals } = next;
      const { organisation, plugin, image, manual } = arrivals;
      const task = this.#make(organisation, plugin, image, this.#ooiOf(organisation, plugin), manual);
      addTo(made, scheduler, task);
      next.at = this.#next(next.at, arrivals);
      if (next.at < this.#until) this.#coming.push(next);
    }
    for (const [scheduler, tasks] of made) push(scheduler, tasks);
  }

  #make(organisation: string, plugin: string | null, image: string | null, ooi: string | null, manual: boolean) {
    const hash = `made ${(this.#made += 1)}`;
    return { organisation, plugin, image, ooi, hash, manual, lastRunAt: null };
  }

  /** As far apart as those of a Poisson process. */
  #next(after: number, { perSecond }: Arrivals): number {
    return after - (Math.log(1 - this.#options.random.next()) / perSecond) * 1_000;
  }

  /** As actors/boefje/recurrence.ts has it, without the failures in a row. */
  #deadlineAfter({ at, schedule: { intervalMs, cron } }: Due): number {
    const { clock, random, settings } = this.#options;
    if (intervalMs !== null) return at + (Math.floor((clock.now - at) / intervalMs) + 1) * intervalMs;
    if (cron !== null) return nextRunAt(cron, clock.now);
    return clock.now + (settings.gracePeriodSeconds + settings.jitterSeconds * random.next()) * 1_000;
  }

  #lastRun({ at, schedule: { intervalMs } }: Due): number {
    const { gracePeriodSeconds, jitterSeconds } = this.#options.settings;
    return at - (intervalMs ?? (gracePeriodSeconds + jitterSeconds / 2) * 1_000);
  }

  #remember({ organisation, plugin, ooi }: { organisation: string; plugin: string | null; ooi: string | null }): void {
    if (ooi === null) return;
    const key = `${organisation}\n${plugin}`;
    const known = this.#oois.get(key);
    if (known === undefined) this.#oois.set(key, [ooi]);
    else if (known.length < oois) known.push(ooi);
  }

  /** One that the boefje has in that organisation. */
  #ooiOf(organisation: string, plugin: string | null): string | null {
    const known = this.#oois.get(`${organisation}\n${plugin}`);
    return known === undefined ? null : this.#options.random.pick(known);
  }
}

function addTo(made: Map<string, MadeTask[]>, scheduler: string, task: MadeTask): void {
  const tasks = made.get(scheduler);
  if (tasks === undefined) made.set(scheduler, [task]);
  else tasks.push(task);
}

/** Never, where a cron cannot run any more. */
function nextRunAt(cron: string, after: number): number {
  try {
    return nextRun(cron, new Date(after)).getTime();
  } catch {
    return Infinity;
  }
}
