import { setTimeout as delay } from 'node:timers/promises';
import {
  type EventPublisher,
  type Expected,
  expectedOfMutation,
  expectedOfRawFile,
  type RawFileReceivedBody,
  type ScanProfileMutationBody,
} from '../../simulator/events.ts';
import { bytesClient } from '../../simulator/bytes.ts';
import { jobs, Workforce, type WorkKind } from '../../simulator/workforce.ts';
import { AtOnce, EventTimes, Ledger } from '../../simulator/measures.ts';
import { seeded } from '../../simulator/random.ts';
import { askForReports, publishArrivals } from '../../simulator/traffic.ts';
import { createWorld, depart, type World } from '../../simulator/world.ts';
import type { Progress } from '../terminal.ts';
import type { Findings } from './report.ts';
import { type DrillOptions, drills, katActors, Restarts } from './restarts.ts';
import { type DemoParts, leaseMs, startInstallation } from './installation.ts';

/** Bounds how long a worker waits for a supervisor that was killed during its pop. */
const popWaitMs = 1_000;

/** The size of a simulated KAT, and its workers. */
export interface KatOptions {
  readonly organisations: number;
  /** Per organisation. */
  readonly objects: number;
  /** Enabled per organisation. */
  readonly boefjes: number;
  readonly workers: number;
  /** Over which the events of the beginning are spread. */
  readonly seconds: number;
  readonly seed: number;
  /** Share of tasks whose worker reports a failure. */
  readonly fail: number;
}

/** The simulated KAT, its workers, and the faults. */
export interface RunOptions extends KatOptions, DrillOptions {
  /** Share of units whose worker dies while it holds them. */
  readonly killWorkers: number;
  /** Tasks of one boefje that run at once; no bound where absent. */
  readonly limit?: number;
}

/** Runs a whole KAT, from the first event to the last finished task, and inspects the database. */
export async function runDemo(
  options: RunOptions,
  parts: DemoParts,
  progress: Progress,
  signal: AbortSignal,
): Promise<{ readonly findings: Findings; readonly drained: boolean; readonly log: string }> {
  await using stack = new AsyncDisposableStack();
  const world = createWorld(options);
  // All objects leave first: the boefje actor would scan them, without an event, as soon as it looks for new boefjes.
  const arrivals = seeded(options.seed).shuffle(depart(world));
  const ledger = new Ledger();
  const times = new EventTimes();
  const atOnce = new AtOnce();
  const expected = new Map<string, Expected>();
  const random = seeded(options.seed);
  let published = 0;
  let workforce: Workforce | null = null;
  const popWaits: number[] = [];

  /** Notes the tasks that an event must cause before it is published, so that none is missed. */
  const noting = (jetstream: EventPublisher): EventPublisher => ({
    publish: async (stream, body) => {
      const { key, kind, tasks } = readEvent(world, stream, body);
      for (const task of tasks) expected.set(task.hash, task);
      times.published(key, tasks.length > 0 && (workforce?.waiting(kind) ?? 0) > 0);
      await jetstream.publish(stream, body);
      published += 1;
    },
  });

  progress.note('Starting Postgres, nats-server, a simulated KAT and the supervisor …');
  const installation = await startInstallation(world, parts, noting, stack);
  const { client, kat, supervisor, inspector, publisher } = installation;
  signal.throwIfAborted();
  const restarts = new Restarts(client, supervisor);
  await restarts.untilRunning(signal);
  workforce = new Workforce({
    client,
    ledger,
    random,
    workers: options.workers,
    jobs: jobs({
      world,
      bytes: bytesClient(kat.urls.bytes, kat.credentials),
      publisher,
      random,
      fail: options.fail,
      others: restarts.actors.filter((name) => !katActors.includes(name)),
      atOnce,
    }),
    leaseMs,
    waitMs: popWaitMs,
    kill: options.killWorkers,
    onHandlerStarted: (task) => times.handlerStarted(keyOfTask(task.data)),
    onPopServed: (ms) => popWaits.push(ms),
  });
  const staff = workforce;
  stack.defer(() => staff.stop());
  if (options.limit !== undefined) {
    const limit = { name: 'demo', scheduler: 'boefje', key: 'boefje:{boefje}', concurrency: options.limit };
    await client.ctl('set-limit', limit);
    progress.note(`Of each boefje ${options.limit} at once, at most.`);
  }
  staff.start();
  const began = performance.now();
  const show = async () => {
    const { queued, leased } = await inspector.unfinished();
    const { handedOut, completed, failed, redelivered } = ledger.counts();
    const clock = `${Math.round((performance.now() - began) / 1_000)} s`.padStart(5);
    progress.show(
      `${clock}  events ${published}  queued ${queued}  leased ${leased}  handed out ${handedOut}  ` +
        `completed ${completed}  failed ${failed}  redelivered ${redelivered}  ` +
        `deaths ${staff.died}  restarts ${restarts.total}`,
    );
    return { queued, leased, finished: completed + failed };
  };

  const publishAndDrain = async () => {
    progress.note(`Publishing events over ${options.seconds} s to ${options.workers} workers that wait.`);
    for (const report of await askForReports(client, supervisor.api, world)) expected.set(report.hash, report);
    await Promise.all([
      publishArrivals(arrivals, { seconds: options.seconds, publisher, signal, looked: show }),
      drills(options, restarts, progress, signal),
    ]);
    return untilDrained({ show, missing: () => inspector.missing(expected), idle: () => staff.working === 0, signal });
  };
  const drained = await Promise.race([publishAndDrain(), supervisor.broken, rejection(signal)]);
  await staff.stop();
  await restarts.look();
  await supervisor.stop();
  const findings = {
    inspection: await inspector.inspect(expected, ledger),
    ledger: ledger.counts(),
    popWaits,
    eventTimes: times.milliseconds(),
    actors: restarts.counts(),
    atOnce: { most: atOnce.most, limit: options.limit ?? null },
  };
  progress.end();
  return { findings, drained, log: supervisor.output() };
}

function readEvent(world: World, stream: string, body: unknown): { key: string; kind: WorkKind; tasks: Expected[] } {
  if (stream === 'raw_file_received') {
    const event = body as RawFileReceivedBody;
    return { key: event.raw_data.id, kind: 'normalizer', tasks: expectedOfRawFile(world, event) };
  }
  const event = body as ScanProfileMutationBody;
  return { key: `${event.client_id} ${event.primary_key}`, kind: 'boefje', tasks: expectedOfMutation(world, event) };
}

/** The key of the event that caused a task, as `readEvent` makes it. */
function keyOfTask(data: Readonly<Record<string, unknown>>): string {
  const raw = data['raw_data'] as { id: string } | undefined;
  return raw?.id ?? `${String(data['organization'])} ${String(data['input_ooi'])}`;
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

/**
 * Longer than every delay of the system: an event that a killed actor had in hand is redelivered after 30 s, its third
 * attempt follows a minute later, and due schedules are claimed once a minute.
 */
const stillMs = 120_000;
const lookEveryMs = 250;

/**
 * Waits until every expected task exists and all tasks are finished.
 *
 * @returns false if nothing has moved for two minutes.
 */
async function untilDrained(run: {
  show(): Promise<{ queued: number; leased: number; finished: number }>;
  missing(): Promise<readonly unknown[]>;
  idle(): boolean;
  signal: AbortSignal;
}): Promise<boolean> {
  let moved = performance.now();
  let last = '';
  for (;;) {
    const { queued, leased, finished } = await run.show();
    if (queued === 0 && leased === 0 && run.idle() && (await run.missing()).length === 0) {
      // Between the two queries a raw file may have become a task.
      const again = await run.show();
      if (again.queued === 0 && again.leased === 0 && again.finished === finished) return true;
    }
    const now = `${queued} ${leased} ${finished}`;
    if (now !== last) [moved, last] = [performance.now(), now];
    if (performance.now() - moved > stillMs) return false;
    await delay(lookEveryMs, undefined, { signal: run.signal });
  }
}
