import { setTimeout as delay } from 'node:timers/promises';
import { type Edge, type EdgeName, edgeNames } from './edge.ts';
import { eventsEdge } from './events-edge.ts';
import { type Failure, playLanes, type Tally } from './lanes.ts';
import { natsEdge } from './nats-edge.ts';
import { type Pops, Probe } from './probe.ts';
import { restEdge } from './rest-edge.ts';
import { type Broker, openStage, type Stage } from './stage.ts';
import { faultsInLog, restingMemory, secretsStored } from './watch.ts';

export interface RandomRun {
  readonly seed: number;
  readonly tallies: readonly Tally[];
  readonly failures: readonly Failure[];
  /** What is of no single input. */
  readonly faults: readonly string[];
  /** Times and memory that are beyond their bounds: apart, since a machine without a core to spare measures itself. */
  readonly beyond: readonly string[];
  readonly quiet: Pops;
  readonly during: Pops;
  /** MiB. */
  readonly memory: { readonly before: number; readonly after: number };
  readonly seconds: number;
}

const bounds = { popP99Ms: 250, memoryRatio: 1.3 } as const;

/** Parts of a run, of a hundred, and how many requests of it are in flight. */
const shares: Readonly<Record<EdgeName, { readonly share: number; readonly lanes: number }>> = {
  nats: { share: 40, lanes: 6 },
  ctl: { share: 10, lanes: 2 },
  rest: { share: 40, lanes: 6 },
  amqp: { share: 5, lanes: 1 },
  jetstream: { share: 5, lanes: 1 },
};
/**
 * Code that is compiled, plans, connections, buffers: what a supervisor that has just started has not got yet. Under one edge alone
 * memory grew from 270 to 340 MiB within 20 000 requests, and stayed there for 80 000 more.
 */
const warmUp = 10_000;

/**
 * Random input for every edge, from one seed. Events come from one broker at a time, so that a run over both takes two stages, one
 * after the other.
 */
export async function runRandom(options: {
  readonly requests: number;
  readonly seed: number;
  readonly only?: readonly EdgeName[];
  told(failure: Failure): void;
  ended(run: RandomRun): void;
}): Promise<readonly RandomRun[]> {
  const wanted = options.only ?? edgeNames;
  const stages: (readonly [Broker, readonly EdgeName[]])[] = [
    ['amqp', wanted.filter((name) => name !== 'jetstream')],
    ['jetstream', wanted.filter((name) => name === 'jetstream')],
  ];
  const runs: RandomRun[] = [];
  for (const [broker, names] of stages) {
    if (names.length === 0) continue;
    const stack = new AsyncDisposableStack();
    try {
      const stage = await openStage(broker, stack);
      const run = await runOn(stage, names, { ...options, whole: sharesOf(wanted) }, stack);
      options.ended(run);
      runs.push(run);
    } finally {
      await stack.disposeAsync();
    }
  }
  return runs;
}

function sharesOf(names: readonly EdgeName[]): number {
  return names.reduce((sum, name) => sum + shares[name].share, 0);
}

async function runOn(
  stage: Stage,
  names: readonly EdgeName[],
  options: { readonly requests: number; readonly seed: number; readonly whole: number; told(failure: Failure): void },
  stack: AsyncDisposableStack,
): Promise<RandomRun> {
  const { supervisor } = stage;
  const edges = await Promise.all(names.map((name) => open(name, stage)));
  for (const edge of edges) stack.defer(() => edge.close());
  const probe = await Probe.start({ natsUrl: stage.natsUrl, prefix: stage.prefix, scheduler: 'boefje' });
  stack.defer(() => probe.stop());
  const play = (requests: number, seed: number, told: (failure: Failure) => void) =>
    playLanes(
      edges.map((edge) => {
        const { share, lanes } = shares[edge.name];
        return { edge, requests: Math.ceil((requests * share) / options.whole), lanes };
      }),
      { seed, supervisor, told },
    );
  const warm = await play(Math.min(warmUp, options.requests / 4), options.seed + 500_000, options.told);
  await delay(1_000);
  await probe.take();
  await delay(3_000);
  const quiet = await probe.take();
  const before = supervisor.memory();
  const pid = supervisor.pid;
  const began = performance.now();
  const { tallies, failures } = await play(options.requests, options.seed, options.told);
  const during = await probe.take();
  const seconds = (performance.now() - began) / 1_000;
  const atEnd = (await Promise.all(edges.map(async (edge) => (await edge.atEnd?.()) ?? []))).flat();
  const after = await restingMemory(supervisor, before * bounds.memoryRatio, Math.min(60_000, options.requests * 10));
  const faults = [
    ...atEnd,
    ...faultsInLog(supervisor),
    ...(await secretsStored(stage)),
    ...(supervisor.pid === pid && !supervisor.ended() ? [] : ['the supervisor ended']),
    ...(during.unanswered > 0 ? [`${during.unanswered} pops of another client were not answered`] : []),
    ...(during.refused > 0 ? [`${during.refused} pops of another client were refused`] : []),
  ];
  const beyond = [
    ...(during.p99 > bounds.popP99Ms ? [`pops of another client: p99 ${Math.round(during.p99)} ms`] : []),
    ...(after > before * bounds.memoryRatio ? [`memory ${Math.round(before)} → ${Math.round(after)} MiB at rest`] : []),
  ];
  const all = [...warm.failures.filter((it) => !failures.some((other) => other.fault === it.fault)), ...failures];
  return {
    seed: options.seed,
    tallies,
    failures: all,
    faults,
    beyond,
    quiet,
    during,
    memory: { before, after },
    seconds,
  };
}

async function open(name: EdgeName, stage: Stage): Promise<Edge> {
  const { natsUrl, prefix, world, supervisor } = stage;
  if (name === 'nats' || name === 'ctl')
    return natsEdge(name, { natsUrl, prefix, world, connections: shares[name].lanes });
  if (name === 'rest') return restEdge({ api: supervisor.api, world });
  return eventsEdge(name, stage);
}
