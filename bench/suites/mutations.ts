import { scanProfileMutation } from '../../src/simulator/events.ts';
import type { Suite } from '../harness/bench.ts';
import { countOf, startKatOn, until, untilLooked } from '../harness/kat.ts';
import { hostname, plainWorld } from '../harness/world.ts';

const objects = 1_000;
const boefjes = 10;
/** One mutation batch of this size, recorded for mula on a machine like this one (docs/benchmarks.md). */
const mulaSeconds = 113.8;

export const mutations: Suite = {
  name: 'mutations',
  about: '1 000 mutated objects with 10 boefjes each become 10 000 queued tasks',
  run: async (bench) => {
    const stage = await startKatOn(bench, 'mutations', plainWorld({ organisations: 1, boefjes, objects: 0 }));
    const { rota, kat, events } = stage;
    const requests: number[] = [];
    let batch = 0;
    const sample = async () => {
      const organisation = kat.world.organisations.get('org-1')!;
      const found = Array.from({ length: objects }, (_, at) => hostname(0, batch * objects + at));
      batch += 1;
      for (const object of found) organisation.objects.set(object.reference, object);
      const bodies = found.map((object) => JSON.stringify(scanProfileMutation('org-1', 'create', object)));
      const wanted = (await countOf(rota.sql, 'queue')) + objects * boefjes;
      kat.resetCounters();
      const began = performance.now();
      await Promise.all(bodies.map((body) => events.publish('scan_profile_mutations', body)));
      await until('10 000 tasks', async () => (await countOf(rota.sql, 'queue')) >= wanted);
      const seconds = (performance.now() - began) / 1_000;
      requests.push(Object.values(kat.counters().katalogus).reduce((sum, count) => sum + count, 0));
      return { value: seconds };
    };
    try {
      await untilLooked(stage);
      await bench.measure('mutations', [
        { name: 'batch-to-queued', unit: 's', repetitions: bench.quick ? 2 : 5, sample },
      ]);
      bench.record(
        'mutations/katalogus-requests',
        'requests',
        requests.map((value) => ({ value })),
      );
      bench.want(
        'mutations/batch-to-queued',
        { own: 'median', atMost: 5 },
        { against: 'mula (recorded)', of: mulaSeconds },
      );
    } finally {
      await stage.stop();
    }
  },
};
