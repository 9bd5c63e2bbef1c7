import { connectNats } from '../../src/nats/connect.ts';
import type { Bench, Case, Suite } from '../harness/bench.ts';
import type { CaseSet } from '../harness/case-set.ts';
import { bodyOf, leanClient, tasksIn, textOf } from '../harness/lean-client.ts';
import { closedLoop } from '../harness/load.ts';
import { queueUpTo, settle } from '../harness/seed.ts';
import { startRotaOn } from '../harness/stage.ts';
import { claimLimits } from '../limits/claims.ts';
import { natsLimits } from '../limits/nats.ts';
import { graphileWorker } from '../peers/graphile-worker.ts';
import { pgBoss } from '../peers/pg-boss.ts';

interface Pops {
  readonly name: string;
  readonly limit: number;
  readonly inFlight: number;
  readonly filters?: object;
  /** Popped and completed. */
  readonly completes?: boolean;
}

const images = (...names: string[]) => ({
  filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'in', value: names }],
});
const twoOfFourteen = images('ghcr.io/minvws/openkat/image-3', 'ghcr.io/minvws/openkat/image-8');

const pops: readonly Pops[] = [
  ...[1, 16, 64, 256].map((inFlight) => ({ name: `limit-1-${inFlight}-in-flight`, limit: 1, inFlight })),
  { name: 'limit-10-16-in-flight', limit: 10, inFlight: 16 },
  { name: 'limit-100-16-in-flight', limit: 100, inFlight: 16 },
  { name: 'limit-100-completed', limit: 100, inFlight: 16, completes: true },
  { name: 'two-images-of-14', limit: 1, inFlight: 64, filters: twoOfFourteen },
  { name: 'no-image', limit: 1, inFlight: 1, filters: images('nothing/has:this') },
];

export const popNats: Suite = {
  name: 'pop',
  about: 'pops over NATS by a lean client, at several depths of the queue, beside peers and limits',
  run: async (bench) => {
    const depths = bench.quick ? [10_000, 100_000] : [10_000, 100_000, 1_000_000];
    const sets: CaseSet[] = [];
    try {
      for (const depth of depths) sets.push(await rotaPops(bench, depth));
      sets.push((await graphileWorker(bench, 'pop_graphile', 100_000)).pops());
      sets.push((await pgBoss(bench, 'pop_pgboss', 100_000)).pops());
      sets.push(await claimLimits(bench, 100_000));
      sets.push(await natsLimits(bench));
      await bench.measure(
        'pop',
        sets.flatMap(({ cases }) => cases),
      );
    } finally {
      for (const set of sets) await set.close();
    }
    wantPops(bench);
  },
};

function wantPops(bench: Bench): void {
  for (const [inFlight, atLeast] of [
    [64, 3],
    [256, 4],
  ] as const) {
    bench.want(
      `pop/limit-1-${inFlight}-in-flight-100k`,
      { against: 'graphile-worker', of: 'pop/graphile-worker-one-at-a-time-24', atLeast },
      { against: 'pg-boss', of: 'pop/pg-boss-fetch-1-16-in-flight', atLeast },
      { against: 'our statement for one row', of: 'pop/pgbench-claims-of-1-16-clients', atLeast },
      { against: 'bare NATS', of: `pop/nats-request-reply-${inFlight}-in-flight` },
    );
  }
  bench.want('pop/limit-1-256-in-flight-100k', {
    against: 'our statement in sets of 100',
    of: 'pop/pgbench-claims-of-100-4-clients',
    atLeast: 0.5,
  });
  bench.want(
    'pop/limit-100-completed-100k',
    { against: 'pg-boss', of: 'pop/pg-boss-fetch-100-4-in-flight', atLeast: 1 },
    { against: "graphile-worker's local queue", of: 'pop/graphile-worker-local-queue', atLeast: 0.35 },
  );
  for (const [depth, atLeast] of [
    ['100k', 0.85],
    ['1m', 0.85],
  ] as const) {
    for (const name of ['limit-1-64-in-flight', 'limit-1-256-in-flight']) {
      bench.want(`pop/${name}-${depth}`, { against: '10 k queued', of: `pop/${name}-10k`, atLeast });
    }
  }
  for (const depth of ['100k', '1m']) {
    const of = `pop/limit-1-64-in-flight-${depth}`;
    bench.want(`pop/two-images-of-14-${depth}`, { against: 'unfiltered', of, atLeast: 0.5 });
    bench.want(`pop/no-image-${depth}`, { own: 'p99_ms', atMost: 5 });
  }
}

async function rotaPops(bench: Bench, depth: number): Promise<CaseSet> {
  const rota = await startRotaOn(await bench.stage(), `pop_${nameOf(depth)}`, {}, async (sql) => {
    await queueUpTo(sql, depth);
    await settle(sql);
  });
  const connection = await connectNats({ servers: rota.natsUrl });
  const client = leanClient(connection);
  const subject = `${rota.prefix}.pop.boefje`;
  const complete = (slot: number, popped: string, done: (count: number) => void, failed: (error: unknown) => void) => {
    const tasks = (JSON.parse(popped) as { results: { id: string; lease_id: string }[] }).results;
    const patches = tasks.map(({ id, lease_id }) => ({ id, lease_id, status: 'completed' }));
    if (patches.length === 0) return done(0);
    client.request(slot, `${rota.prefix}.task.patch`, bodyOf({ patches }), (message) =>
      attempt(failed, () => (textOf(message), done(patches.length))),
    );
  };
  const popCase = ({ name, limit, inFlight, filters, completes = false }: Pops): Case => {
    const body = bodyOf({ limit, worker: 'bench', ...(filters === undefined ? {} : { filters }) });
    // An empty answer is what is measured there.
    const empty = name === 'no-image';
    return {
      name: `${name}-${nameOf(depth)}`,
      unit: empty ? 'pops/s' : 'tasks/s',
      // A queue of 10 000 is half empty after a fraction of a second: more samples instead of longer ones.
      repetitions: depth === 10_000 ? bench.repetitions * 2 : bench.repetitions,
      prepare: () => queueUpTo(rota.sql, depth),
      sample: () =>
        closedLoop({
          inFlight,
          warmUpMs: bench.warmUpMs,
          measureMs: bench.sampleMs,
          // Of two images in fourteen a seventh of the queue is left to be popped.
          most: Math.min(filters === undefined || empty ? depth / 2 : depth / 14, bench.quick ? 20_000 : Infinity),
          send: (slot, done, failed) =>
            client.request(slot, subject, body, (message) =>
              attempt(failed, () => {
                const text = textOf(message);
                if (completes) complete(slot, text, done, failed);
                else done(empty ? 1 : tasksIn(text));
              }),
            ),
        }),
    };
  };
  return {
    cases: (depth === 10_000 ? pops.slice(0, 4) : pops).map(popCase),
    close: async () => {
      await connection.close();
      await rota.stop();
    },
  };
}

function attempt(failed: (error: unknown) => void, work: () => unknown): void {
  try {
    work();
  } catch (error) {
    failed(error);
  }
}

export function nameOf(depth: number): string {
  return depth >= 1_000_000 ? `${depth / 1_000_000}m` : `${depth / 1_000}k`;
}
