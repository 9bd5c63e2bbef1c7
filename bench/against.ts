import { connectNats } from '../src/nats/connect.ts';
import { leanClient } from './harness/lean-client.ts';
import { Backlog } from './harness/load.ts';
import { cpuMsOf, cpuMsOfBackends } from './harness/cpu-time.ts';
import { median } from './harness/statistics.ts';
import { setStage, type Stage, startRotaOn } from './harness/stage.ts';
import type { Candidate } from './tuning/candidates.ts';
import { type Pace, type WorkloadName, workloads } from './tuning/workloads.ts';

interface AgainstOptions {
  /** A checkout of another commit of Rota. */
  readonly folder: string;
  readonly quick: boolean;
  readonly say: (text: string) => void;
  /** Ends the servers, should the run be interrupted. */
  readonly stack: AsyncDisposableStack;
}

/** This checkout divided by the other one, for one workload: the median of the pairs, and their quartiles, over both sittings. */
interface Ratio {
  readonly workload: WorkloadName;
  /** More is better. */
  readonly rate: Spread;
  /** CPU time per task of the supervisor, and of its backends of Postgres: less is better. */
  readonly supervisorCpu: Spread;
  readonly postgresCpu: Spread;
}

type Spread = readonly [lower: number, median: number, upper: number];

interface Figure {
  readonly rate: number;
  readonly supervisorMs: number;
  readonly postgresMs: number;
}

const queued = 100_000;
const compared = ['pop', 'popOne', 'push', 'pushOne', 'pushSets', 'lives', 'sets'] as const satisfies WorkloadName[];
const paces: Readonly<Record<'quick' | 'full', Pace & { readonly rounds: number }>> = {
  quick: { warmUpMs: 100, measureMs: 700, sustainedMs: 0, rounds: 6 },
  full: { warmUpMs: 300, measureMs: 2_000, sustainedMs: 0, rounds: 10 },
};

const names = ['this', 'other'] as const;
type Name = (typeof names)[number];
type Pair = Readonly<Record<Name, Figure>>;

/**
 * Two supervisors, one of each checkout, on databases of their own in one Postgres, sampled in turn: A B, B A, A B, and so on. A
 * drift of the machine falls on both, and neither is always the first.
 *
 * In two sittings: the supervisor that is started first takes 1.1 to 1.35 times the CPU time of the second, of one and the same
 * commit. Each is the first once; the answer is the geometric mean of the sittings, in which that cancels out.
 */
export async function against({ folder, quick, say, stack }: AgainstOptions): Promise<readonly Ratio[]> {
  const pace = paces[quick ? 'quick' : 'full'];
  const sittings: ReadonlyMap<WorkloadName, readonly Pair[]>[] = [];
  for (const order of [names, names.toReversed()]) sittings.push(await sit({ order, folder, pace, say, stack }));
  return compared.map((workload) => {
    const spread = (of: (figure: Figure) => number) =>
      meanOf(sittings.map((pairs) => spreadOf(pairs.get(workload)!.map((pair) => of(pair.this) / of(pair.other)))));
    const ratio = {
      workload,
      rate: spread(({ rate }) => rate),
      supervisorCpu: spread(({ supervisorMs }) => supervisorMs),
      postgresCpu: spread(({ postgresMs }) => postgresMs),
    };
    say(
      `  ${workload.padEnd(9)} rate ${text(ratio.rate)}   CPU per task: supervisor ${text(ratio.supervisorCpu)}   Postgres ${text(ratio.postgresCpu)}`,
    );
    return ratio;
  });
}

async function sit(options: {
  /** In which they are started. */
  readonly order: readonly Name[];
  readonly folder: string;
  readonly pace: (typeof paces)['quick'];
  readonly say: (text: string) => void;
  readonly stack: AsyncDisposableStack;
}): Promise<ReadonlyMap<WorkloadName, readonly Pair[]>> {
  const { order, folder, pace, say } = options;
  const stage = await setStage({ say });
  options.stack.defer(() => stage.close());
  const candidates: Partial<Record<Name, Candidate>> = {};
  for (const name of order) candidates[name] = await open(stage, name, name === 'other' ? folder : undefined);
  for (const name of order)
    for (const workload of compared) await workloads[workload](candidates[name]!, { ...pace, measureMs: 1_500 });
  const sampled = new Map<WorkloadName, readonly Pair[]>();
  for (const workload of compared) {
    const pairs: Pair[] = [];
    for (let round = 0; round < pace.rounds; round += 1) {
      const pair: Partial<Record<Name, Figure>> = {};
      for (const name of round % 2 === 0 ? order : order.toReversed())
        pair[name] = await sample(candidates[name]!, workload, pace);
      pairs.push(pair as Pair);
    }
    sampled.set(workload, pairs);
  }
  for (const candidate of Object.values(candidates)) await candidate.close();
  await stage.close();
  return sampled;
}

async function open(stage: Stage, name: string, folder?: string): Promise<Candidate> {
  const rota = await startRotaOn(stage, `against_${name}`, { checkout: folder });
  const connection = await connectNats({ servers: rota.natsUrl });
  const backlog = new Backlog(rota.sql, queued, 0.2);
  backlog.took(queued);
  await backlog.refill();
  await rota.sql`VACUUM ANALYZE`;
  return { rota, settings: {}, client: leanClient(connection), backlog, close: () => connection.close() };
}

/** Of the whole sample, its warm-up included: the CPU time is that of the tasks of both. */
async function sample(candidate: Candidate, workload: WorkloadName, pace: Pace): Promise<Figure> {
  const { rota } = candidate;
  await candidate.backlog.refill();
  const spent = async () => [await cpuMsOf(rota.supervisor.pid), await cpuMsOfBackends(rota.prefix)] as const;
  const before = await spent();
  const rate = await workloads[workload](candidate, {
    ...pace,
    warmUpMs: 0,
    measureMs: pace.warmUpMs + pace.measureMs,
  });
  const after = await spent();
  const tasks = (rate * (pace.warmUpMs + pace.measureMs)) / 1_000;
  return { rate, supervisorMs: (after[0] - before[0]) / tasks, postgresMs: (after[1] - before[1]) / tasks };
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.round((sorted.length - 1) * share)]!;
  return [at(0.25), median(values), at(0.75)];
}

/** The geometric mean of each of the three. */
function meanOf(spreads: readonly Spread[]): Spread {
  const at = (index: number) =>
    spreads.reduce((product, spread) => product * spread[index]!, 1) ** (1 / spreads.length);
  return [at(0), at(1), at(2)];
}

/** `0.98 (0.95–1.02)` */
function text([lower, middle, upper]: Spread): string {
  return `${middle.toFixed(2)} (${lower.toFixed(2)}–${upper.toFixed(2)})`;
}
