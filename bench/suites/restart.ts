import type { Suite } from '../harness/bench.ts';
import { countOf, startKatOn, until, untilLooked } from '../harness/kat.ts';
import { plainWorld } from '../harness/world.ts';

const organisations = 300;
const boefjes = 20;
const queued = 100_000;

export const restart: Suite = {
  name: 'restart',
  about:
    '100 000 queued tasks, 300 organisations × 20 boefjes: SIGKILL, a new start, the first pop; and what it pushes',
  run: async (bench) => {
    const world = plainWorld({ organisations, boefjes, objects: 2 });
    const stage = await startKatOn(bench, 'restart', world, {
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
        { name: 'kill-to-first-pop', unit: 'ms', repetitions: bench.quick ? 1 : 3, sample },
      ]);
      bench.record(
        'restart/tasks-pushed',
        'tasks',
        pushed.map((value) => ({ value })),
      );
      bench.want('restart/kill-to-first-pop', { own: 'median', atMost: 3_000 });
      bench.want('restart/tasks-pushed', { own: 'median', atMost: 0 });
    } finally {
      await stage.stop();
    }
  },
};
