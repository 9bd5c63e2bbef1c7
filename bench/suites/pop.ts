import { type Bench, type Case, type Suite, type CaseSet, nameOf } from '../harness/bench.ts';
import { claimLimits } from '../limits/statements.ts';
import { natsLimits } from '../limits/nats.ts';
import { graphileWorker } from '../peers/graphile-worker.ts';
import { pgBoss } from '../peers/pg-boss.ts';
import { coldPops, popCases } from './pop-cases.ts';

/** The case that peers and limits are compared with. */
const held = 100_000;

export const pop: Suite = {
  name: 'pop',
  about: 'pops over NATS by a lean client, at several depths of the queue, beside peers and limits',
  run: async (bench) => {
    const depths = bench.quick ? [10_000, held] : [10_000, held, 1_000_000, 10_000_000];
    const [ours, cold, peers, limits] = [[], [], [], []] as [CaseSet[], CaseSet[], CaseSet[], CaseSet[]];
    try {
      // Two at a time: most of it is waiting for processes to start.
      const begun = await Promise.allSettled([
        (async () => {
          for (const depth of depths) ours.push(await popCases(bench, depth));
          for (const depth of [1_000, held]) cold.push(await coldPops(bench, depth));
        })(),
        (async () => {
          // Ten million would take a peer longer to be filled than to be measured.
          for (const depth of bench.quick ? [held] : depths.filter((depth) => depth <= 1_000_000)) {
            peers.push((await graphileWorker(bench, `pop_graphile_${nameOf(depth)}`, depth)).pops());
            peers.push((await pgBoss(bench, `pop_pgboss_${nameOf(depth)}`, depth)).pops());
          }
        })(),
      ]);
      for (const one of begun) if (one.status === 'rejected') throw one.reason;
      limits.push(await claimLimits(bench, held));
      limits.push(await natsLimits(bench));
      await bench.measure('pop', [...byTurns(ours), ...[...cold, ...peers, ...limits].flatMap(({ cases }) => cases)]);
    } finally {
      for (const set of [...ours, ...cold, ...peers, ...limits]) await set.close();
    }
    wantPops(bench);
    wantFlat(bench);
    wantFiltered(bench);
    bench.want(`pop/limit-1-1-in-flight-cold-${nameOf(held)}`, {
      against: '1 k queued',
      of: 'pop/limit-1-1-in-flight-cold-1k',
      atLeast: 0.5,
    });
  },
};

/** The same case at each depth, one after the other: what is compared must not be minutes apart, for the machine's own speed moves. */
function byTurns(sets: readonly CaseSet[]): Case[] {
  const most = Math.max(...sets.map(({ cases }) => cases.length));
  return Array.from({ length: most }, (_none, at) => sets.flatMap(({ cases }) => cases.slice(at, at + 1))).flat();
}

function wantPops(bench: Bench): void {
  for (const [inFlight, atLeast] of [
    [64, 3],
    [256, 4],
  ] as const) {
    bench.want(
      `pop/limit-1-${inFlight}-in-flight-100k`,
      { against: 'graphile-worker', of: 'pop/graphile-worker-one-at-a-time-24-100k', atLeast },
      { against: 'pg-boss', of: 'pop/pg-boss-fetch-1-16-in-flight-100k', atLeast },
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
    { against: 'pg-boss', of: 'pop/pg-boss-fetch-100-4-in-flight-100k', atLeast: 1 },
    { against: "graphile-worker's local queue", of: 'pop/graphile-worker-local-queue-100k', atLeast: 0.35 },
  );
}

function wantFlat(bench: Bench): void {
  for (const [depth, atLeast] of [
    ['100k', 0.85],
    ['1m', 0.85],
    ['10m', 0.75],
  ] as const) {
    for (const name of ['limit-1-64-in-flight', 'limit-1-256-in-flight']) {
      bench.want(`pop/${name}-${depth}`, { against: '10 k queued', of: `pop/${name}-10k`, atLeast });
    }
  }
  for (const peer of [
    'graphile-worker-one-at-a-time-24',
    'graphile-worker-local-queue',
    'pg-boss-fetch-1-16-in-flight',
  ]) {
    bench.want(`pop/${peer}-1m`, { against: '10 k queued', of: `pop/${peer}-10k` });
  }
}

function wantFiltered(bench: Bench): void {
  for (const depth of ['100k', '1m', '10m']) {
    const of = `pop/limit-1-64-in-flight-${depth}`;
    bench.want(`pop/two-images-of-14-${depth}`, { against: 'unfiltered', of, atLeast: 0.5 });
    bench.want(`pop/no-image-${depth}`, { own: 'p99_ms', atMost: 5 });
  }
}
