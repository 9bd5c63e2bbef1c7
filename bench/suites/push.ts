import { connectNats } from '../../src/nats/connect.ts';
import { type Bench, type Case, type Suite, warmUp } from '../harness/bench.ts';
import type { CaseSet } from '../harness/case-set.ts';
import { bodyOf, type LeanClient, leanClient, textOf } from '../harness/lean-client.ts';
import { closedLoop } from '../harness/load.ts';
import { startRotaOn } from '../harness/stage.ts';
import { pushedTask } from '../harness/tasks.ts';
import { pushLimits } from '../limits/pushes.ts';
import { graphileWorker } from '../peers/graphile-worker.ts';
import { pgBoss } from '../peers/pg-boss.ts';

type Scheduler = keyof typeof pushedTask;

export const push: Suite = {
  name: 'push',
  about: 'pushes over NATS, single and in sets: boefje tasks with their schedules, normalizer tasks without; and peers',
  run: async (bench) => {
    const sets: CaseSet[] = [];
    try {
      sets.push(await rotaPushes(bench));
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
    for (const [type, atLeast] of [
      ['normalizer', 4],
      ['boefje', 2.5],
    ] as const) {
      bench.want(
        `push/${type}-single-64-in-flight`,
        { against: 'graphile-worker', of: 'push/graphile-worker-single-16-clients', atLeast },
        { against: 'pg-boss', of: 'push/pg-boss-single-16-clients', atLeast },
      );
      bench.want(`push/${type}-sets-of-1000`, {
        against: 'our statement in pgbench',
        of: `push/pgbench-sets-of-1000-${type}`,
        atLeast: 0.6,
      });
    }
  },
};

async function rotaPushes(bench: Bench): Promise<CaseSet> {
  const rota = await startRotaOn(await bench.stage(), 'push');
  const connection = await connectNats({ servers: rota.natsUrl });
  const client = leanClient(connection);
  const cases = (['normalizer', 'boefje'] as const).flatMap((scheduler) => {
    const subject = `${rota.prefix}.push.${scheduler}`;
    return [
      ...(bench.quick ? [1, 64] : [1, 16, 64, 256]).map((inFlight) =>
        pushCase(bench, client, subject, `${scheduler}-single-${inFlight}-in-flight`, inFlight, () =>
          single(scheduler),
        ),
      ),
      ...(bench.quick ? [1_000] : [1, 100, 1_000]).map((size) =>
        pushCase(bench, client, subject, `${scheduler}-sets-of-${size}`, 4, () => set(scheduler, size)),
      ),
    ];
  });
  for (const one of cases.filter(({ name }) => name.endsWith('-64-in-flight'))) await warmUp(one);
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

function pushCase(
  bench: Bench,
  client: LeanClient,
  subject: string,
  name: string,
  inFlight: number,
  pushed: () => Push,
): Case {
  return {
    name,
    unit: 'tasks/s',
    sample: () =>
      closedLoop({
        inFlight,
        warmUpMs: bench.warmUpMs,
        measureMs: bench.sampleMs,
        send: (slot, done, failed) => {
          const { body, tasks } = pushed();
          client.request(slot, subject, body, (message) => {
            try {
              if (textOf(message).includes('"error"')) throw new Error(`refused: ${textOf(message).slice(0, 300)}`);
              done(tasks);
            } catch (error) {
              failed(error);
            }
          });
        },
      }),
  };
}
