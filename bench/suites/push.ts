import { connectNats } from '../../src/nats/connect.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import { type Bench, type Case, type Suite, warmUp, type CaseSet, type Size, sizesOf } from '../harness/bench.ts';
import { bodyOf, type LeanClient, leanClient, textOf } from '../harness/lean-client.ts';
import { closedLoop } from '../harness/load.ts';
import { startRotaOn } from '../harness/stage.ts';
import { pushedPriority, pushedTask } from '../harness/tasks.ts';
import { pushLimits } from '../limits/statements.ts';
import { graphileWorker } from '../peers/graphile-worker.ts';
import { pgBoss } from '../peers/pg-boss.ts';

type Scheduler = keyof typeof pushedTask;

export const push: Suite = {
  name: 'push',
  about: 'pushes over NATS, single and in sets: boefje tasks with their schedules, normalizer tasks without; and peers',
  run: async (bench) => {
    const sizes = sizesOf(bench.quick, 0);
    const sets: CaseSet[] = [];
    try {
      for (const size of sizes) sets.push(await rotaPushes(bench, size));
      sets.push((await graphileWorker(bench, 'push_graphile', 0)).pushes());
      sets.push((await pgBoss(bench, 'push_pgboss', 0)).pushes());
      sets.push(await pushLimits(bench));
      await bench.measure(
        'push',
        sets.flatMap(({ cases }) => cases),
      );
    } finally {
      for (const set of sets) await set.close();
    }
    for (const { suffix } of sizes) wantPushes(bench, suffix);
  },
};

function wantPushes(bench: Bench, suffix: string): void {
  for (const [type, atLeast] of [
    ['normalizer', 4],
    ['boefje', 2.5],
  ] as const) {
    bench.want(
      `push/${type}-single-64-in-flight${suffix}`,
      { against: 'graphile-worker', of: 'push/graphile-worker-single-16-clients', atLeast },
      { against: 'pg-boss', of: 'push/pg-boss-single-16-clients', atLeast },
    );
    bench.want(`push/${type}-sets-of-1000${suffix}`, {
      against: 'our statement in pgbench',
      of: `push/pgbench-sets-of-1000-${type}`,
      atLeast: 0.6,
    });
  }
}

async function rotaPushes(bench: Bench, { tasks, suffix }: Size): Promise<CaseSet> {
  const rota = await startRotaOn(await bench.stage(), `push${tasks}`, { filling: { queued: tasks, finished: 0 } });
  const connection = await connectNats({ servers: rota.natsUrl });
  const client = leanClient(connection);
  const queue = new PushedOnto(rota.sql, tasks);
  const cases = (['normalizer', 'boefje'] as const).flatMap((scheduler) => {
    const to = { client, subject: `${rota.prefix}.push.${scheduler}`, queue };
    return [
      ...(bench.quick ? [1, 64] : [1, 16, 64, 256]).map((inFlight) =>
        pushCase(bench, to, `${scheduler}-single-${inFlight}-in-flight${suffix}`, inFlight, () => single(scheduler)),
      ),
      ...(bench.quick ? [1_000] : [1, 100, 1_000]).map((size) =>
        pushCase(bench, to, `${scheduler}-sets-of-${size}${suffix}`, 4, () => set(scheduler, size)),
      ),
    ];
  });
  for (const one of cases.filter(({ name }) => name.endsWith(`-64-in-flight${suffix}`)))
    await warmUp(one, bench.quick ? 1 : 3);
  return {
    cases,
    close: async () => {
      await connection.close();
      await rota.stop();
    },
  };
}

interface Push {
  readonly body: Uint8Array;
  readonly tasks: number;
}

const single = (scheduler: Scheduler): Push => ({ body: bodyOf(pushedTask[scheduler]()), tasks: 1 });

function set(scheduler: Scheduler, size: number): Push {
  return { body: bodyOf({ tasks: Array.from({ length: size }, () => pushedTask[scheduler]()) }), tasks: size };
}

interface PushedTo {
  readonly client: LeanClient;
  readonly subject: string;
  readonly queue: PushedOnto;
}

function pushCase(bench: Bench, to: PushedTo, name: string, inFlight: number, pushed: () => Push): Case {
  const { client, subject, queue } = to;
  return {
    name,
    unit: 'tasks/s',
    // One at a time measures only how long a push takes.
    ...(bench.quick && inFlight === 1 ? { repetitions: 1 } : {}),
    prepare: () => queue.restore(),
    sample: () =>
      closedLoop({
        inFlight,
        warmUpMs: bench.warmUpMs,
        measureMs: bench.sampleMs,
        most: queue.most,
        send: (slot, done, failed) => {
          const { body, tasks } = pushed();
          client.request(slot, subject, body, (message) => {
            try {
              if (textOf(message).includes('"error"')) throw new Error(`refused: ${textOf(message).slice(0, 300)}`);
              done(queue.took(tasks));
            } catch (error) {
              failed(error);
            }
          });
        },
      }),
  };
}

/** Queues that are pushed onto, and hold half as much again at most when a sample begins; from none they may grow. */
class PushedOnto {
  readonly #sql: Sql;
  /** Tasks that are pushed before what is there is too much of another size. */
  readonly most: number;
  #pushed = 0;

  constructor(sql: Sql, tasks: number) {
    this.#sql = sql;
    this.most = tasks === 0 ? Number.POSITIVE_INFINITY : tasks / 2;
  }

  took(tasks: number): number {
    this.#pushed += tasks;
    return tasks;
  }

  async restore(): Promise<void> {
    if (this.#pushed < this.most) return;
    this.#pushed = 0;
    const sql = this.#sql;
    await sql`
      WITH gone AS (DELETE FROM queue WHERE rank >= ${pushedPriority} RETURNING id)
      DELETE FROM tasks USING gone WHERE tasks.id = gone.id`;
  }
}
