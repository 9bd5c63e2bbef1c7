import { setTimeout as delay } from 'node:timers/promises';
import type { BoefjeData, NormalizerData } from '../tasks/data.ts';
import type { LeasedTask, TaskError } from '../tasks/task.ts';
import type { BytesClient } from './bytes.ts';
import { boefjeRun, type EventPublisher, scanProfileMutation } from './events.ts';
import type { AtOnce, LeaseRecord } from './measures.ts';
import type { Random } from './random.ts';
import { type Outcome, runSimulatedWorker, type TaskClient } from './worker.ts';
import { discover, type World } from './world.ts';

export type WorkKind = 'boefje' | 'normalizer' | 'report';

interface WorkforceOptions {
  readonly client: TaskClient;
  readonly ledger: LeaseRecord;
  readonly random: Random;
  /** Of KAT's three schedulers together; three at least, since each has workers of its own. Any other scheduler has one more. */
  readonly workers: number;
  /** By scheduler. */
  readonly jobs: Readonly<Record<string, Job>>;
  readonly leaseMs: number;
  readonly waitMs: number;
  /** Share of units whose worker dies over them. */
  readonly kill: number;
  onHandlerStarted(task: LeasedTask): void;
  /** Milliseconds from when a pop that brought a task could have been served to its answer. */
  onPopServed(ms: number): void;
}

/** Workers of all three schedulers. One that dies is replaced by another under a new name. */
export class Workforce {
  readonly #options: WorkforceOptions;
  readonly #stopping = new AbortController();
  readonly #waiting = new Map<string, number>();
  readonly #posts: Promise<void>[] = [];
  #working = 0;
  #died = 0;

  constructor(options: WorkforceOptions) {
    this.#options = options;
  }

  start(): void {
    const { workers, jobs } = this.#options;
    const counts: Readonly<Record<string, number>> = workersByKind(workers);
    for (const scheduler of Object.keys(jobs)) {
      for (let number = 1; number <= (counts[scheduler] ?? 1); number += 1)
        this.#posts.push(this.#fill(scheduler, number));
    }
  }

  /** Workers that wait for the answer to a pop. */
  waiting(scheduler: string): number {
    return this.#waiting.get(scheduler) ?? 0;
  }

  /** Workers that have a unit in hand. */
  get working(): number {
    return this.#working;
  }

  get died(): number {
    return this.#died;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#posts);
  }

  async #fill(scheduler: string, number: number): Promise<void> {
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
        perform: jobs[scheduler]!,
        dies: () => random.chance(kill),
        onWaiting: (waiting) => {
          this.#waiting.set(scheduler, this.waiting(scheduler) + (waiting ? 1 : -1));
          this.#working += waiting ? -1 : 1;
        },
        onHandlerStarted: (task) => this.#options.onHandlerStarted(task),
        onPopServed: (ms) => this.#options.onPopServed(ms),
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
  /** A boefje that always fails. */
  readonly failing?: string | null;
  /** How often as long as in a demo of seconds the work takes. */
  readonly slowness?: number;
  /** Schedulers beside KAT's own: a worker of theirs takes its time, and completes. */
  readonly others?: readonly string[];
  /** Counts the units of each boefje; a simulation without an end counts none. */
  readonly atOnce?: AtOnce;
}

type Job = (task: LeasedTask) => Promise<Outcome>;

/** Short enough that a demo of seconds sees thousands of tasks, long enough that workers are busy now and then. */
const workMs: Readonly<Record<WorkKind, readonly [number, number]>> = {
  boefje: [20, 80],
  normalizer: [10, 40],
  report: [30, 100],
};
/** Every third normalizer task finds a new object, until none is left. */
const findsObject = 1 / 3;

/** What workers do with a task, by scheduler. */
export function jobs(settings: JobSettings): Readonly<Record<string, Job>> {
  const { world, bytes, publisher, random, fail, failing = null, slowness = 1, others = [], atOnce } = settings;
  const work = async (kind: WorkKind) => {
    const [least, most] = workMs[kind];
    const ms = (least + random.next() * (most - least)) * slowness;
    await delay(ms);
    return ms;
  };
  const end = (fails: boolean, error: TaskError): Outcome => (fails ? { failed: error } : 'completed');

  const boefjeJob: Job = async (task) => {
    const { boefje, input_ooi: inputOoi, organization: organisation } = task.data as unknown as BoefjeData;
    const group = task.data['deduplication_key'];
    const unit = typeof group === 'string' ? group : task.id;
    const tookMs = await (atOnce?.during(boefje.id, unit, () => work('boefje')) ?? work('boefje'));
    const run = boefjeRun({ id: task.id, boefje: boefje.id, inputOoi, organisation, tookMs });
    if (random.chance(fail) || boefje.id === failing) {
      await bytes.store(run, 'FAILED', ['error/boefje']);
      return end(true, boefjeError(boefje.id, inputOoi));
    }
    const produces = world.organisations.get(organisation)?.plugins.get(boefje.id)?.produces ?? [];
    await bytes.store(run, 'COMPLETED', [...new Set([...produces, `boefje/${boefje.id}`])]);
    return 'completed';
  };

  /** Publishes the scan profile of an object that the normalizer found, as Octopoes does. */
  const normalizerJob: Job = async (task) => {
    await work('normalizer');
    const { raw_data: raw, normalizer } = task.data as unknown as NormalizerData;
    if (random.chance(fail))
      return end(true, { code: 'parse', message: `${normalizer.id}: unexpected end of the raw file` });
    const organisation = world.organisations.get(raw.boefje_meta.organization);
    const found = organisation !== undefined && random.chance(findsObject) ? discover(organisation) : null;
    if (organisation !== undefined && found !== null) {
      await publisher.publish('scan_profile_mutations', scanProfileMutation(organisation.id, 'create', found));
    }
    return 'completed';
  };

  const reportJob: Job = async () => {
    await work('report');
    return end(random.chance(fail), { code: 'timeout', message: 'Octopoes did not answer within 30 s' });
  };

  const other: Job = async () => {
    await work('normalizer');
    return end(random.chance(fail), { code: 'simulated', message: 'a simulated failure' });
  };

  return {
    ...Object.fromEntries(others.map((scheduler) => [scheduler, other])),
    boefje: boefjeJob,
    normalizer: normalizerJob,
    report: reportJob,
  };
}

/** As a runner says it: what the boefje's own program ended with. */
function boefjeError(boefje: string, inputOoi: string | null): TaskError {
  const target = inputOoi?.split('|').at(-1) ?? 'nothing';
  return {
    code: 'exit',
    message: `${boefje}: exit status 1: no route to host`,
    detail: `Starting ${boefje} on ${target}\nconnect: no route to host\nexit status 1`,
  };
}
