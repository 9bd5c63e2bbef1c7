import type { SetLimit } from '../../control/limit-bodies.ts';
import { environment } from '../../config/variables.ts';
import type { StreamEvent } from '../../protocol/events.ts';
import type { EventStream } from '../../protocol/scheduler.ts';
import { readCatalog, typeOf } from '../../supervisor/catalog.ts';
import { replaceTimeAndChance } from '../../time-and-chance.ts';
import { type Random, seeded } from '../random.ts';
import { Broker } from './broker.ts';
import { VirtualClock } from './clock.ts';
import { KatState } from './kat/kat-state.ts';
import { type FaultKind, Faults } from './faults.ts';
import { Invariants } from './checks/invariants.ts';
import { Journal, type Violation } from './journal.ts';
import { KatObjects, serviceOut } from './kat/kat-objects.ts';
import { Activity, worldOf } from './kat/activity.ts';
import { SimulatedQueue } from './queue/simulated-queue.ts';
import { MemorySchedules } from './queue/memory-schedules.ts';
import { rankInThread } from './rankers.ts';
import { seededChance } from './seeded-chance.ts';
import { Settlement } from './queue/settlement.ts';
import { SimulatedSupervisor } from './supervisor.ts';
import { Tally, type TallyReport } from './checks/tally.ts';
import { FaultTimes } from './fault-times.ts';
import { Workers } from './workers.ts';

export interface SimulationOptions {
  readonly days: number;
  readonly organisations: number;
  /** Of each organisation. */
  readonly objects: number;
  readonly seed: number;
  readonly faults: readonly FaultKind[];
  readonly policy: 'fair-share' | 'created-at';
  readonly limits?: readonly SetLimit[];
  /** Enabled in each organisation; all that ship where absent. */
  readonly boefjes?: number;
  /** Is given all decisions in their order, a line each, many at once: what the digest is of. */
  readonly trace?: (lines: string) => void;
}

export interface SimulationReport extends TallyReport {
  /** SHA-256 of all decisions. */
  readonly digest: string;
  readonly decisions: number;
  readonly violations: readonly Violation[];
  readonly virtual_days: number;
  /** That it took. */
  readonly seconds: number;
}

/** 2026-03-23, a Monday: in Europe the clocks are set forward at the end of that week. */
const began = Date.UTC(2026, 2, 23);
/** The defaults of Rota's settings: a simulation reads no environment. */
const defaults = environment.parse({});
const settings = {
  gracePeriodSeconds: defaults.SCHEDULER_PQ_GRACE_PERIOD,
  jitterSeconds: defaults.SCHEDULER_PQ_JITTER,
};
const maxAttempts = defaults.SCHEDULER_MAX_ATTEMPTS;
/** Between looks at all that there is: at each decision it would take most of the time. */
const auditMs = 2 * 3_600_000;
/** Between two questions when a task starts. */
const askEveryMs = 2 * 60_000;
/** Of finished tasks. */
const keptMs = 86_400_000;
/** Of an answer of a service of KAT, at most. */
const answerMs = 60;
const failingShare = 0.03;

/**
 * Days of a KAT and of the Rota that schedules it, in one thread on virtual time: the same for the same options, on any machine. Ends at
 * the first violation of what Rota promises. docs/simulation.md says what is real in it and what is not.
 */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const from = performance.now();
  const clock = new VirtualClock(began);
  const chanceOf = (part: number) => seeded((options.seed * 16 + part) >>> 0);
  const restore = replaceTimeAndChance({ time: clock.time, chance: seededChance(chanceOf(0), () => clock.now) });
  try {
    const run = await start(options, clock, chanceOf);
    const { journal } = run;
    try {
      await clock.run(began + options.days * 86_400_000, () => journal.violation !== null);
    } catch (error) {
      if (journal.violation === null) throw error;
    }
    const { decisions, violation } = journal;
    return {
      digest: journal.digest(),
      decisions,
      violations: violation === null ? [] : [violation],
      ...run.tally.report(),
      virtual_days: Math.round(((clock.now - began) / 86_400_000) * 1_000) / 1_000,
      seconds: Math.round(performance.now() - from) / 1_000,
    };
  } finally {
    restore();
  }
}

async function start(options: SimulationOptions, clock: VirtualClock, chanceOf: (part: number) => Random) {
  const { organisations, objects, seed, policy, limits = [] } = options;
  const catalog = await readCatalog();
  let ahead = 0;
  const databaseNow = () => clock.now + ahead;
  const now = () => clock.now;
  const journal = new Journal(seed, now, options.trace);
  const faultTimes = new FaultTimes(now);
  const world = worldOf(options);
  const publish = (stream: EventStream, event: StreamEvent, delayMs: number) => {
    for (const lateMs of faults.copies()) {
      const copy = { ...event };
      invariants.published(copy);
      broker.publish(stream, copy, delayMs + lateMs);
    }
  };
  const katState = new KatState({ world, random: chanceOf(1), now, publish });
  const ranking = await rankInThread({
    catalog,
    overrides: { boefje: policy, normalizer: policy },
    gracePeriodSeconds: settings.gracePeriodSeconds,
    now: databaseNow,
  });
  const isFair = (scheduler: string) => policy === 'fair-share' && scheduler !== 'report';
  const invariants = new Invariants({
    journal,
    katState,
    faultTimes,
    settings,
    maxAttempts,
    now,
    databaseNow,
    began,
    isFair,
    limits,
  });
  const broker = new Broker({
    clock,
    random: chanceOf(2),
    prefetch: defaults.SCHEDULER_RABBITMQ_PREFETCH_COUNT,
    maxAttempts: defaults.SCHEDULER_EVENT_MAX_ATTEMPTS,
    settled: (_stream, event, failure) => invariants.settled(event, failure),
  });
  const tally = new Tally({ journal, now, watched: invariants, wake: (scheduler) => workers.wake(scheduler) });
  const schedules = new MemorySchedules({
    now: databaseNow,
    ...settings,
    changed: (schedule) => {
      tally.scheduled(schedule);
      invariants.scheduled(schedule);
    },
  });
  const queue = new SimulatedQueue({
    now: databaseNow,
    policyOf: (scheduler) => ranking.policyOf(scheduler),
    typeOf: (scheduler) => typeOf(catalog, scheduler),
    schedules,
    maxSize: 0,
    happened: tally,
    after: (ms, run) => void clock.after(ms, run),
    limits,
    freed: (scheduler) => workers.wake(scheduler),
  });
  invariants.watch(queue);
  const settlement = new Settlement({
    queue,
    maxAttempts,
    retryMs: defaults.SCHEDULER_RETRY_SECONDS * 1_000,
    gracePeriodSeconds: settings.gracePeriodSeconds,
  });
  const answers = chanceOf(3);
  const kat = new KatObjects({
    world,
    now,
    answering: async (service) => {
      await clock.sleep(1 + answers.integer(answerMs));
      if (faults.isOut(service)) throw serviceOut(service);
    },
    lastRun: (organisation, boefje, ooi) => katState.lastRun(organisation, boefje, ooi),
  });
  katState.serve(kat);
  const supervisor = new SimulatedSupervisor({
    catalog,
    clock,
    random: chanceOf(4),
    journal,
    broker,
    kat,
    queue,
    schedules,
    settlement,
    ranking,
    settings,
    databaseNow,
  });
  const faults = new Faults({
    kinds: new Set(options.faults),
    clock,
    random: chanceOf(5),
    journal,
    world,
    katState,
    queue,
    settlement,
    supervisor,
    faultTimes,
    push: (scheduler, tasks) => supervisor.ask(scheduler, tasks),
    supervisorDied: () => invariants.supervisorDied(),
    stepClock: (ms) => {
      ahead += ms;
      invariants.clockStepped(ms);
    },
  });
  const load = organisations * objects;
  const workers = new Workers({
    clock,
    random: chanceOf(6),
    queue,
    settlement,
    katState,
    witness: invariants.holders,
    counts: { boefje: Math.max(2, Math.ceil(load / 150)), normalizer: Math.max(2, Math.ceil(load / 600)), report: 1 },
    fail: failingShare,
    isReachable: () => supervisor.serves,
    lapse: (unit) => faults.lapse(unit),
  });
  const activity = new Activity({
    clock,
    random: chanceOf(7),
    world,
    katState,
    schedules,
    push: (scheduler, task) => supervisor.ask(scheduler, [task]),
  });
  clock.settleAfter(0, () => supervisor.start());
  activity.start();
  faults.start();
  // What a limit lets go later goes before what is younger, and no estimate knows of it.
  if (limits.length === 0) clock.every(askEveryMs, () => invariants.askForStarts());
  clock.every(auditMs, () => {
    invariants.audit();
    queue.forgetFinished(databaseNow() - keptMs, (id) => invariants.forgotten(id));
  });
  return { journal, tally };
}
