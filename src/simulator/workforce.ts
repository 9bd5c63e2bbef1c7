import { setTimeout as delay } from 'node:timers/promises';
import type { BoefjeData, NormalizerData } from '../tasks/data.ts';
import type { LeasedTask } from '../tasks/task.ts';
import type { BytesClient } from './bytes.ts';
import { boefjeRun, type EventPublisher, scanProfileMutation } from './events.ts';
import type { AtOnce, Ledger } from './measures.ts';
import type { Random } from './random.ts';
import { runSimulatedWorker, type TaskClient } from './worker.ts';
import { discover, type World } from './world.ts';

export type WorkKind = 'boefje' | 'normalizer' | 'report';

interface WorkforceOptions {
  readonly client: TaskClient;
  readonly ledger: Ledger;
  readonly random: Random;
  /** Of all schedulers together; three at least, since each has workers of its own. */
  readonly workers: number;
  readonly jobs: Readonly<Record<WorkKind, Job>>;
  readonly leaseMs: number;
  readonly waitMs: number;
  /** Share of units whose worker dies over them. */
  readonly kill: number;
  onHandlerStarted(scheduler: WorkKind, task: LeasedTask): void;
}

/** Workers of all three schedulers. One that dies is replaced by another under a new name. */
export class Workforce {
  readonly #options: WorkforceOptions;
  readonly #stopping = new AbortController();
  readonly #waiting: Record<WorkKind, number> = { boefje: 0, normalizer: 0, report: 0 };
  readonly #popWaits: number[] = [];
  readonly #posts: Promise<void>[] = [];
  #working = 0;
  #died = 0;

  constructor(options: WorkforceOptions) {
    this.#options = options;
  }

  start(): void {
    for (const [scheduler, count] of Object.entries(workersByKind(this.#options.workers))) {
      for (let number = 1; number <= count; number += 1) this.#posts.push(this.#fill(scheduler as WorkKind, number));
    }
  }

  /** Workers that wait for the answer to a pop. */
  waiting(scheduler: WorkKind): number {
    return this.#waiting[scheduler];
  }

  /** Workers that have a unit in hand. */
  get working(): number {
    return this.#working;
  }

  get died(): number {
    return this.#died;
  }

  /** Of each pop that brought a task: milliseconds from when it could have been served. */
  get popWaits(): readonly number[] {
    return this.#popWaits;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#posts);
  }

  async #fill(scheduler: WorkKind, number: number): Promise<void> {
    const { client, ledger, random, jobs, leaseMs, waitMs, kill } = this.#options;
    for (let life = 1; ; life += 1) {
      this.#working += 1;
      const end = await runSimulatedWorker({
        name: `${scheduler}-${number}${life === 1 ? '' : `.${life}`}`,
        scheduler,
        client,
        ledger,
        leaseMs,
        waitMs,
        perform: jobs[scheduler],
        dies: () => random.chance(kill),
        onWaiting: (waiting) => {
          this.#waiting[scheduler] += waiting ? 1 : -1;
          this.#working += waiting ? -1 : 1;
        },
        onHandlerStarted: (task) => this.#options.onHandlerStarted(scheduler, task),
        onPopServed: (ms) => this.#popWaits.push(ms),
        signal: this.#stopping.signal,
      });
      this.#working -= 1;
      if (end === 'stopped') return;
      this.#died += 1;
    }
  }
}

/** Half are for boefjes, which take longest; most of the others for normalizers, since reports are few. */
function workersByKind(workers: number): Readonly<Record<WorkKind, number>> {
  if (workers < 3) throw new RangeError('a simulated KAT needs at least 3 workers: one for each scheduler');
  const boefje = Math.max(1, Math.floor(workers / 2));
  const report = Math.max(1, Math.floor(workers / 8));
  return { boefje, normalizer: workers - boefje - report, report };
}

interface JobSettings {
  readonly world: World;
  readonly bytes: BytesClient;
  readonly publisher: EventPublisher;
  readonly random: Random;
  /** Share of tasks that fail. */
  readonly fail: number;
  /** Counts the units of each boefje. */
  readonly atOnce: AtOnce;
}

type Job = (task: LeasedTask) => Promise<'completed' | 'failed'>;

/** Short enough that a demo of seconds sees thousands of tasks, long enough that workers are busy now and then. */
const workMs: Readonly<Record<WorkKind, readonly [number, number]>> = {
  boefje: [20, 80],
  normalizer: [10, 40],
  report: [30, 100],
};
/** Every third normalizer task finds a new object, until none is left. */
const findsObject = 1 / 3;

/** What workers do with a task, by scheduler. */
export function jobs(settings: JobSettings): Readonly<Record<WorkKind, Job>> {
  const { world, bytes, publisher, random, fail, atOnce } = settings;
  const work = async (kind: WorkKind) => {
    const [least, most] = workMs[kind];
    const ms = least + random.next() * (most - least);
    await delay(ms);
    return ms;
  };

  return {
    /** Stores what the boefje found in Bytes, which announces it. A boefje that fails stores its error there. */
    boefje: async (task) => {
      const { boefje, input_ooi: inputOoi, organization: organisation } = task.data as unknown as BoefjeData;
      const group = task.data['deduplication_key'];
      const tookMs = await atOnce.during(boefje.id, typeof group === 'string' ? group : task.id, () => work('boefje'));
      const run = boefjeRun({ id: task.id, boefje: boefje.id, inputOoi, organisation, tookMs });
      if (random.chance(fail)) {
        await bytes.store(run, 'FAILED', ['error/boefje']);
        return 'failed';
      }
      const produces = world.organisations.get(organisation)?.plugins.get(boefje.id)?.produces ?? [];
      await bytes.store(run, 'COMPLETED', [...new Set([...produces, `boefje/${boefje.id}`])]);
      return 'completed';
    },

    /** Publishes the scan profile of an object that the normalizer found, as Octopoes does. */
    normalizer: async (task) => {
      await work('normalizer');
      if (random.chance(fail)) return 'failed';
      const { raw_data: raw } = task.data as unknown as NormalizerData;
      const organisation = world.organisations.get(raw.boefje_meta.organization);
      const found = organisation !== undefined && random.chance(findsObject) ? discover(organisation) : null;
      if (organisation !== undefined && found !== null) {
        await publisher.publish('scan_profile_mutations', scanProfileMutation(organisation.id, 'create', found));
      }
      return 'completed';
    },

    report: async () => {
      await work('report');
      return random.chance(fail) ? 'failed' : 'completed';
    },
  };
}
