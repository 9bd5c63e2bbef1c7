import { type Bench, type Suite, type Size, sizesOf } from '../harness/bench.ts';
import { countOf, startKatOn, until, untilLooked, plainWorld } from '../harness/kat.ts';

const boefjes = 20;

export const restart: Suite = {
  name: 'restart',
  about: 'a full queue, many organisations × 20 boefjes: SIGKILL, a new start, the first pop; and what it pushes',
  run: async (bench) => {
    for (const size of sizesOf(bench.quick, 100_000)) await measure(bench, size);
  },
};

async function measure(bench: Bench, { tasks: queued, suffix }: Size): Promise<void> {
  // The first look at each queues 40 tasks beside those: in a quick run 4 000 in 3 s, in a full one 12 000 in 7 s or more.
  const organisations = bench.quick ? 100 : 300;
  const world = plainWorld({ organisations, boefjes, objects: 2 });
  const stage = await startKatOn(bench, `restart${queued}`, world, {
    filling: { queued, finished: 0 },
    // As it is run: what a start makes true again is part of how long it takes.
    settings: { DATABASE_MIGRATION: 'true' },
  });
  const { rota, kat, client } = stage;
  /** Katalogus was asked about every organisation since the start, and what that led to is committed. */
  const looked = async () =>
    (kat.counters().katalogus['GET /v1/organisations/:organisation/plugins'] ?? 0) >= organisations;
  const pushed: number[] = [];
  const sample = async () => {
    const before = await countOf(rota.sql, 'tasks');
    kat.resetCounters();
    const began = performance.now();
    await rota.supervisor.restart();
    const [task] = await client.pop('boefje', { wait_ms: 10_000 });
    const took = performance.now() - began;
    if (task === undefined) throw new Error('no task after the restart');
    await until('the look for new boefjes', looked);
    await client.ctl('reschedule', { actor: 'boefje' });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    pushed.push((await countOf(rota.sql, 'tasks')) - before);
    return { value: took };
  };
  try {
    await untilLooked(stage);
    await bench.measure('restart', [
      { name: `kill-to-first-pop${suffix}`, unit: 'ms', repetitions: bench.quick ? 1 : 3, sample },
    ]);
    bench.record(
      `restart/tasks-pushed${suffix}`,
      'tasks',
      pushed.map((value) => ({ value })),
    );
    bench.want(`restart/kill-to-first-pop${suffix}`, { own: 'median', atMost: 3_000 });
    bench.want(`restart/tasks-pushed${suffix}`, { own: 'median', atMost: 0 });
  } finally {
    await stage.stop();
  }
}
