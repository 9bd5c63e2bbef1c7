import { query, type Sql, statement, transact } from '../postgres/pool.ts';
import type { SchedulerView } from '../protocol/operator-status.ts';
import { lengths } from '../tasks/limits.ts';
import { type EventOf, on } from '../telemetry/events.ts';
import { firstOf } from './metric.ts';

const windowSeconds = 10;
const longWindowSeconds = 300;

type Second = { readonly at: number; queued: number; dispatched: number };

/** Tasks that each scheduler queued and handed out through this supervisor: per second, over the last ten and the last 300. */
export class Rates {
  readonly #seconds = new Map<string, Second[]>();
  readonly #started = wholeSeconds();
  readonly #ends: readonly (() => void)[] = [
    on('tasks.queued', ({ scheduler, tasks }) => this.#add(scheduler, 'queued', tasks.length)),
    on('tasks.dispatched', ({ scheduler, tasks }) => this.#add(scheduler, 'dispatched', tasks.length)),
  ];

  of(scheduler: string): Pick<SchedulerView, 'in_per_second' | 'out_per_second' | 'lately'> {
    const seconds = this.#seconds.get(scheduler) ?? [];
    const hasRunLong = wholeSeconds() - this.#started >= longWindowSeconds;
    return { ...over(seconds, windowSeconds), lately: hasRunLong ? over(seconds, longWindowSeconds) : null };
  }

  stop(): void {
    for (const end of this.#ends) end();
  }

  #add(scheduler: string, key: 'queued' | 'dispatched', count: number): void {
    const seconds = this.#seconds.get(scheduler) ?? [];
    this.#seconds.set(scheduler, seconds);
    const at = wholeSeconds();
    if (seconds.at(-1)?.at !== at) seconds.push({ at, queued: 0, dispatched: 0 });
    seconds.at(-1)![key] += count;
    while (seconds.length > longWindowSeconds + 1) seconds.shift();
  }
}

function over(seconds: readonly Second[], window: number) {
  const from = wholeSeconds() - window;
  const [queued, dispatched] = seconds.reduce(
    ([into, out], second) => (second.at > from ? [into + second.queued, out + second.dispatched] : [into, out]),
    [0, 0],
  );
  return { in_per_second: queued / window, out_per_second: dispatched / window };
}

const lastTasks = 50;

/** How many of the last 50 tasks of each plug-in failed, of those that ended through this supervisor. */
export class RecentFailures {
  readonly #last = new Map<string, boolean[]>();
  readonly #label = firstOf(200);
  readonly #end = on('tasks.changed', ({ ended = [] }) => {
    for (const { plugin, code } of ended) if (plugin !== null) this.#add(this.#label(plugin), code !== null);
  });

  /** Of the plug-ins with so many tasks. */
  counts(): ReadonlyMap<string, number> {
    const full = [...this.#last].filter(([, failed]) => failed.length === lastTasks);
    return new Map(full.map(([plugin, failed]) => [plugin, failed.filter(Boolean).length]));
  }

  stop(): void {
    this.#end();
  }

  #add(plugin: string, failed: boolean): void {
    // No boefje: several that are rare.
    if (plugin === 'other') return;
    const last = this.#last.get(plugin) ?? [];
    this.#last.set(plugin, last);
    last.push(failed);
    if (last.length > lastTasks) last.shift();
  }
}

/** By a monotonic clock. */
function wholeSeconds(): number {
  return Math.floor(performance.now() / 1_000);
}

/** How long another supervisor may not know what this one handed out. */
export const saveEveryMs = 2_000;
/** Images of one scheduler that are told apart in one save; clients name images as they like. */
const mostSaved = 100;
/** Images of one scheduler that are told apart until then. */
const mostCounted = 1_000;
/** Saves between two that also remove what no estimate reads: a minute's. */
const forgetEvery = 30;

/** Of one image, or of all, since the last save. */
interface ImagePops {
  tasks: number;
  /** Of those, to pops without a filter. */
  anyImage: number;
  asked: boolean;
  /** The greatest handed out in the order of ranks. */
  rank: number | null;
}

const noPops = (): ImagePops => ({ tasks: 0, anyImage: 0, asked: false, rank: null });

type Counts = Map<string, ImagePops>;

/**
 * Counts what this supervisor hands out and is asked for, by image, and adds it to table image_pops in the background: each
 * supervisor then knows how fast all of them are. A claim costs an addition for each of its rows.
 */
export class ImageRates {
  readonly #sql: Sql;
  readonly #onError: (error: unknown) => void;
  /** Under '' all of a scheduler's. */
  readonly #schedulers = new Map<string, Counts>();
  readonly #end = on('claim.completed', (claim) => this.#count(claim));
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();
  #saves = 0;

  constructor(sql: Sql, onError: (error: unknown) => void) {
    this.#sql = sql;
    this.#onError = onError;
  }

  /** Never rejects: what could not be stored is lost, and estimates take workers for slower than they are. */
  save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#saving = this.#saving.then(() => this.#save()).catch(this.#onError);
    return this.#saving;
  }

  async stop(): Promise<void> {
    this.#end();
    await this.save();
  }

  #count({ scheduler, asked, filtered, images, ranks }: EventOf<'claim.completed'>): void {
    const counts: Counts = this.#schedulers.get(scheduler) ?? new Map([['', noPops()]]);
    this.#schedulers.set(scheduler, counts);
    for (const image of asked ?? ['']) {
      const of = popsOf(counts, image);
      if (of !== null) of.asked = true;
    }
    const all = counts.get('')!;
    const unfiltered = filtered ? 0 : 1;
    all.tasks += images.length;
    all.anyImage += unfiltered * images.length;
    for (const [at, image] of images.entries()) {
      const rank = ranks[at] ?? null;
      raise(all, rank);
      const of = image === '' ? null : popsOf(counts, image);
      if (of === null) continue;
      of.tasks += 1;
      of.anyImage += unfiltered;
      raise(of, rank);
    }
    this.#timer ??= setTimeout(() => void this.save(), saveEveryMs).unref();
  }

  async #save(): Promise<void> {
    const rows = [...this.#schedulers].flatMap(([scheduler, counts]) =>
      [...counts]
        .toSorted(([, a], [, b]) => b.tasks - a.tasks)
        .slice(0, mostSaved)
        .map(([image, pops]) => ({ scheduler, image, ...pops })),
    );
    this.#schedulers.clear();
    if (rows.length === 0) return;
    await transact(() =>
      query(this.#sql, statement('pop/save-image-pops'), [
        rows.map(({ scheduler }) => scheduler),
        rows.map(({ image }) => image),
        rows.map(({ tasks }) => tasks),
        rows.map(({ anyImage }) => anyImage),
        rows.map(({ asked }) => (asked ? 1 : 0)),
        rows.map(({ rank }) => rank),
      ]),
    );
    this.#saves += 1;
    if (this.#saves % forgetEvery === 0) await transact(() => query(this.#sql, statement('pop/forget-image-pops'), []));
  }
}

function raise(pops: ImagePops, rank: number | null): void {
  if (rank !== null && rank > (pops.rank ?? 0)) pops.rank = rank;
}

/** Null beyond the bound, and for a name that no task can have. */
function popsOf(counts: Counts, image: string): ImagePops | null {
  const known = counts.get(image);
  if (known !== undefined) return known;
  if (counts.size >= mostCounted || Buffer.byteLength(image) > lengths.name) return null;
  const made = noPops();
  counts.set(image, made);
  return made;
}
