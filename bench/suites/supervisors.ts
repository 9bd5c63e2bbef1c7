import { setTimeout as delay } from 'node:timers/promises';
import { connectNats } from '../../src/nats/connect.ts';
import { type Bench, type Case, type CaseSet, type Suite } from '../harness/bench.ts';
import { cpuMsOf, cpuMsOfBackends, cpuMsOfMainThread } from '../harness/cpu-time.ts';
import { bodyOf, type LeanClient, leanClient, tasksIn, textOf } from '../harness/lean-client.ts';
import { attempt, Backlog, closedLoop, type Load } from '../harness/load.ts';
import { type RotaOnStage, startRotaOn } from '../harness/stage.ts';
import { lives, livesInSets, pushedTask } from '../harness/tasks.ts';

const counts = [1, 2, 4] as const;
const queued = 100_000;
/** Of all supervisors of a database together: claims and pushes travel in sets, and four supervisors have a quarter of these each. */
const inFlight = 256;
const bulk = 8;
/** Each of the four gets a quarter of the requests, and compiles what it runs as often as the one: short samples would measure that. */
const warmUpMs = 4_000;
const leastMs = 1_000;
const idleMs = 3_000;

/** CPU time in ms, and bytes of the write-ahead log. */
interface Spent {
  readonly mainThread: number;
  readonly supervisor: number;
  readonly postgres: number;
  readonly log: number;
}

const nothing: Spent = { mainThread: 0, supervisor: 0, postgres: 0, log: 0 };

/** The difference, divided. */
function less(after: Spent, before: Spent, by: number): Spent {
  const of = (part: keyof Spent) => (after[part] - before[part]) / by;
  return { mainThread: of('mainThread'), supervisor: of('supervisor'), postgres: of('postgres'), log: of('log') };
}

/** As figures of a task: their name, unit, and how many of that unit one of `Spent` is. */
const parts = [
  ['mainThread', 'main-thread', 'µs/task', 1_000],
  ['supervisor', 'supervisor', 'µs/task', 1_000],
  ['postgres', 'postgres', 'µs/task', 1_000],
  ['log', 'log', 'kB/task', 0.001],
] as const;

/**
 * The same load for one, two and four supervisors of one database: what they share (rows, locks, the wake of pops) must not cost more
 * than they bring. On two cores more of them cannot do more; where there are cores, the CPU time of a task says what they will do.
 */
export const supervisors: Suite = {
  name: 'supervisors',
  about: 'one, two and four supervisors on one database: the same load for all, and the CPU time of a task',
  run: async (bench) => {
    const sets: Loadable[] = [];
    try {
      for (const count of counts) sets.push(await casesOf(bench, count));
      const most = sets[0]!.cases.length;
      // The same case by each number of supervisors, one after the other.
      const byTurns = Array.from({ length: most }, (_none, at) => sets.map(({ cases }) => cases[at]!)).flat();
      for (const { warmUp } of sets) await warmUp();
      for (const { count, idle } of sets) recordIdle(bench, count, await idle());
      await bench.measure('supervisors', byTurns);
      for (const { spent } of sets) for (const [name, samples] of spent) record(bench, name, samples);
      await recordSize(bench, sets[0]!.rota);
    } finally {
      for (const set of sets) await set.close();
    }
    for (const name of Object.keys(paths))
      for (const count of counts.slice(1))
        bench.want(`supervisors/${name}-${count}`, {
          against: 'one supervisor',
          of: `supervisors/${name}-1`,
          atLeast: 0.9,
        });
  },
};

function record(bench: Bench, name: string, samples: readonly Spent[]): void {
  for (const [part, named, unit, times] of parts)
    bench.record(
      `supervisors/${name}-${named}`,
      unit,
      samples.map((spent) => ({ value: spent[part] * times })),
    );
}

/** Clocks, sweeps, looks and metrics, by supervisor: what is spent without a task, and is taken off what tasks cost. */
function recordIdle(bench: Bench, count: number, perMs: Spent): void {
  for (const [part, named] of parts.slice(0, 3))
    bench.record(`supervisors/idle-${count}-${named}`, '% of a core', [{ value: (perMs[part] * 100) / count }]);
}

interface Loaded {
  readonly client: LeanClient;
  readonly prefix: string;
  readonly backlog: Backlog;
}

/** A task's ways through Rota; each is a load. */
const paths: Readonly<Record<string, { readonly inFlight: number; send(on: Loaded): Load['send'] }>> = {
  pop: { inFlight, send: pops },
  'push-normalizer': { inFlight, send: (on) => pushes(on, 'normalizer') },
  'push-boefje': { inFlight, send: (on) => pushes(on, 'boefje') },
  'push-sets-of-1000': { inFlight: 4, send: (on) => pushes(on, 'normalizer', 1_000) },
  lives: { inFlight, send: ({ client, prefix }) => lives(client, prefix) },
  'lives-in-sets-of-100': { inFlight: bulk, send: ({ client, prefix }) => livesInSets(client, prefix, 100) },
};

interface Loadable extends CaseSet {
  readonly rota: RotaOnStage;
  readonly count: number;
  readonly spent: ReadonlyMap<string, Spent[]>;
  warmUp(): Promise<void>;
  /** What is spent in a millisecond without a task. */
  idle(): Promise<Spent>;
}

async function casesOf(bench: Bench, count: number): Promise<Loadable> {
  const rota = await startRotaOn(await bench.stage(), `supervisors${count}`, {
    supervisors: count,
    // Seven supervisors at once: 25 each would be more than Postgres has for all.
    settings: { SCHEDULER_DB_CONNECTION_POOL_SIZE: '12' },
    filling: { queued, finished: 0 },
  });
  const connection = await connectNats({ servers: rota.natsUrl });
  const on = {
    client: leanClient(connection),
    prefix: rota.prefix,
    backlog: new Backlog(rota.sql, queued, 0.2),
  };
  const spent = new Map<string, Spent[]>();
  let idleOf = nothing;
  const idle = async () => {
    const since = performance.now();
    const before = await cpuOf(rota);
    await delay(idleMs);
    idleOf = less(await cpuOf(rota), before, performance.now() - since);
    return idleOf;
  };
  const warmUp = async () => {
    for (const { inFlight: requests, send } of Object.values(paths)) {
      await on.backlog.refill();
      await closedLoop({ inFlight: requests, warmUpMs: 0, measureMs: warmUpMs, send: send(on) });
    }
  };
  const cases = Object.entries(paths).map(([path, { inFlight: requests, send }]): Case => {
    const name = `${path}-${count}`;
    const samples: Spent[] = [];
    spent.set(name, samples);
    return {
      name,
      unit: 'tasks/s',
      prepare: () => on.backlog.refill(),
      async sample() {
        const since = performance.now();
        const before = await cpuOf(rota);
        let tasks = 0;
        const sample = await closedLoop({
          inFlight: requests,
          warmUpMs: bench.warmUpMs,
          measureMs: Math.max(bench.sampleMs, leastMs),
          send: counted(send(on), (of) => (tasks += of)),
        });
        const after = await cpuOf(rota);
        const anyway = performance.now() - since;
        const worked = less(after, before, 1);
        samples.push(less(worked, less(idleOf, nothing, 1 / anyway), tasks));
        return sample;
      },
    };
  });
  return {
    rota,
    count,
    idle,
    warmUp,
    cases,
    spent,
    close: async () => {
      await connection.close();
      await rota.stop();
    },
  };
}

/** Those of the warm-up, and those in flight when it ends, cost CPU time too. */
function counted(send: Load['send'], add: (tasks: number) => void): Load['send'] {
  return (slot, done, failed) =>
    send(
      slot,
      (tasks) => {
        add(tasks);
        done(tasks);
      },
      failed,
    );
}

/**
 * So far, of all supervisors together, and of their backends: vacuums, checkpoints and the log's writer are not among these. One
 * sample is taken at a time, so that what the log gets is of its tasks.
 */
async function cpuOf({ supervisors: processes, prefix, sql }: RotaOnStage): Promise<Spent> {
  const sum = async (of: (pid: number) => Promise<number>) =>
    (await Promise.all(processes.map(({ pid }) => of(pid)))).reduce((total, ms) => total + ms, 0);
  const [mainThread, supervisor, postgres, [end]] = await Promise.all([
    sum(cpuMsOfMainThread),
    sum(cpuMsOf),
    cpuMsOfBackends(prefix),
    sql<{ log: number }[]>`SELECT (pg_current_wal_insert_lsn() - '0/0')::float8 AS log`,
  ]);
  return { mainThread, supervisor, postgres, log: end!.log };
}

/** Tables and indexes, schedules and queue included, by the number of tasks: most of them pushed, popped, and half of them ended. */
async function recordSize(bench: Bench, { sql }: RotaOnStage): Promise<void> {
  await sql`VACUUM`;
  const [size] = await sql<{ bytes: number; tasks: number }[]>`
    SELECT sum(pg_total_relation_size(oid))::float8 AS bytes, (SELECT count(*)::float8 FROM tasks) AS tasks
    FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace`;
  bench.record('supervisors/database', 'kB/task', [{ value: size!.bytes / size!.tasks / 1_000 }]);
}

function pops({ client, prefix, backlog }: Loaded): Load['send'] {
  const body = bodyOf({ limit: 1, worker: 'bench' });
  return (slot, done, failed) =>
    client.request(slot, `${prefix}.pop.boefje`, body, (message) =>
      attempt(failed, () => done(backlog.took(tasksIn(textOf(message))))),
    );
}

function pushes({ client, prefix }: Loaded, scheduler: keyof typeof pushedTask, size?: number): Load['send'] {
  const pushed = () =>
    size === undefined
      ? pushedTask[scheduler]()
      : { tasks: Array.from({ length: size }, () => pushedTask[scheduler]()) };
  return (slot, done, failed) =>
    client.request(slot, `${prefix}.push.${scheduler}`, bodyOf(pushed()), (message) =>
      attempt(failed, () => {
        if (textOf(message).includes('"error"')) throw new Error(`refused: ${textOf(message).slice(0, 300)}`);
        done(size ?? 1);
      }),
    );
}
