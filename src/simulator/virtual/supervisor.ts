import { RotaError } from '../../errors.ts';
import type { NewTask, PushOutcome } from '../../protocol/requests.ts';
import type { Log, SchedulerSettings } from '../../protocol/scheduler.ts';
import type { TaskRanking } from '../../queue/push/rank.ts';
import { sweepEveryMs } from '../../queue/settle/leases.ts';
import { createActorBackend } from '../../supervisor/requests.ts';
import type { Catalog } from '../../supervisor/catalog.ts';
import type { Random } from '../random.ts';
import { Actors } from './actors.ts';
import type { Broker } from './broker.ts';
import type { VirtualClock } from './clock.ts';
import type { Journal } from './journal.ts';
import type { KatObjects } from './kat/kat-objects.ts';
import { rankedPush } from './queue/ranked-push.ts';
import type { SimulatedQueue } from './queue/simulated-queue.ts';
import type { MemorySchedules } from './queue/memory-schedules.ts';
import { createMemoryStore } from './queue/memory-store.ts';
import type { Settlement } from './queue/settlement.ts';

interface SupervisorOptions {
  readonly catalog: Catalog;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly journal: Journal;
  readonly broker: Broker;
  readonly kat: KatObjects;
  readonly queue: SimulatedQueue;
  readonly schedules: MemorySchedules;
  readonly settlement: Settlement;
  readonly ranking: TaskRanking;
  readonly settings: SchedulerSettings;
  readonly databaseNow: () => number;
}

/** A supervisor: its actors, its sweeps, and what it knows. It can be killed and started again, and the database be out of its reach. */
export class SimulatedSupervisor {
  readonly #options: SupervisorOptions;
  #actors: Actors | null = null;
  #store: ReturnType<typeof createMemoryStore> | null = null;
  #databaseUntil = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    options.clock.every(sweepEveryMs, () => this.#sweep());
  }

  /** Whether workers and actors reach the queue. */
  get serves(): boolean {
    return this.#actors !== null && this.#options.clock.now >= this.#databaseUntil;
  }

  loseDatabase(ms: number): void {
    this.#databaseUntil = Math.max(this.#databaseUntil, this.#options.clock.now + ms);
  }

  start(): void {
    const { broker, catalog, clock, journal, kat, queue, random, schedules, settings, settlement } = this.#options;
    // What the database has stays; what an actor remembers begins anew.
    this.#store ??= createMemoryStore({ queue, schedules, settlement });
    this.#actors = new Actors({
      catalog,
      clock,
      random,
      broker,
      kat,
      backend: createActorBackend({ push: (scheduler, tasks) => this.#push(scheduler, tasks) }, this.#store),
      settings,
      now: this.#options.databaseNow,
      reaching: () => {
        if (clock.now < this.#databaseUntil) throw new RotaError('DATABASE_UNAVAILABLE', 'the database is away');
      },
      log: logInto(journal),
      refused: (scheduler, reason, { organisation, boefje, ooi }) =>
        journal.note(`refused ${scheduler} ${reason} ${organisation} ${boefje} ${ooi}`),
      crashed: (scheduler, error) =>
        journal.breaks('actors', `${scheduler} ends: ${error instanceof Error ? error.stack : String(error)}`),
    });
  }

  kill(): void {
    this.#actors?.kill();
    this.#actors = null;
    this.#options.broker.cut();
    this.#options.kat.forget();
    for (const { fair } of this.#options.queue.schedulers()) fair.lose();
  }

  /** A person pushes, where Rota serves at this moment. */
  ask(scheduler: string, tasks: readonly NewTask[]): void {
    if (this.serves) this.#options.clock.follow(this.#push(scheduler, tasks));
  }

  async #push(scheduler: string, tasks: readonly NewTask[]): Promise<readonly PushOutcome[]> {
    const { queue, ranking } = this.#options;
    const outcomes = await rankedPush(queue, ranking, scheduler, tasks);
    const assumed = outcomes.flatMap((outcome, at) =>
      outcome.outcome === 'queued' && outcome.scheduleId !== null && tasks[at]!.recurrence === undefined
        ? [outcome.scheduleId]
        : [],
    );
    if (assumed.length > 0)
      this.#actors?.tell(scheduler, { kind: 'correct-schedules', ids: assumed } as { kind: string });
    return outcomes;
  }

  #sweep(): void {
    if (this.serves) this.#options.settlement.round();
  }
}

/** Only what an operator should see. */
function logInto(journal: Journal): Log {
  const quiet = () => {};
  return {
    debug: quiet,
    info: quiet,
    warn: (_fields, message) => journal.note(`warns: ${message}`),
    error: (_fields, message) => journal.note(`reports an error: ${message}`),
  };
}
