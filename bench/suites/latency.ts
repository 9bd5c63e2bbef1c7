import { scanProfileMutation } from '../../src/simulator/events.ts';
import type { Bench, Suite } from '../harness/bench.ts';
import { type KatOnStage, startKatOn, untilLooked } from '../harness/kat.ts';
import { quantile } from '../harness/quantiles.ts';
import { hostname, plainWorld } from '../harness/world.ts';

export const latency: Suite = {
  name: 'latency',
  about: 'how long an event, or a push, takes to a worker that waits on an idle system',
  run: async (bench) => {
    const stage = await startKatOn(bench, 'latency', plainWorld({ organisations: 1, boefjes: 1, objects: 0 }));
    try {
      await untilLooked(stage);
      const count = bench.quick ? 100 : 500;
      let number = 0;
      await record(bench, 'latency/event-to-worker', count, () => eventToWorker(stage, number++));
      await record(bench, 'latency/push-to-worker', count, () => pushToWorker(stage, number++));
      bench.want('latency/event-to-worker', { own: 'p50_ms', atMost: 8 }, { own: 'p99_ms', atMost: 25 });
    } finally {
      await stage.stop();
    }
  },
};

/** From before the publish, so that JetStream's own way to the actor counts too: more than the bar asks for. */
async function eventToWorker({ client, events, kat }: KatOnStage, number: number): Promise<number> {
  const organisation = kat.world.organisations.get('org-1')!;
  const object = hostname(0, number);
  organisation.objects.set(object.reference, object);
  const body = JSON.stringify(scanProfileMutation(organisation.id, 'create', object));
  return timedPop(client, object.reference, () => events.publish('scan_profile_mutations', body));
}

async function pushToWorker({ client }: KatOnStage, number: number): Promise<number> {
  const boefje = { id: 'pushed', name: 'Pushed', oci_image: null };
  const ooi = `Hostname|internet|${number}`;
  const data = { boefje, input_ooi: ooi, organization: 'org-1' };
  return timedPop(client, ooi, () => client.push('boefje', { organisation: 'org-1', priority: 1, data }));
}

async function timedPop(client: KatOnStage['client'], ooi: string, cause: () => Promise<unknown>): Promise<number> {
  const popped = client.pop('boefje', { wait_ms: 30_000 });
  // Parked: the pop has looked and found nothing.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const began = performance.now();
  const [[task]] = await Promise.all([popped, cause()]);
  const took = performance.now() - began;
  if (task?.data['input_ooi'] !== ooi) throw new Error(`expected the task of ${ooi} within 30 s`);
  await client.patch({ id: task.id, lease_id: task.lease_id, status: 'completed' });
  return took;
}

async function record(bench: Bench, name: string, count: number, sample: () => Promise<number>): Promise<void> {
  for (let warmUp = 0; warmUp < 10; warmUp += 1) await sample();
  const latenciesMs = new Float64Array(count);
  for (let at = 0; at < count; at += 1) latenciesMs[at] = await sample();
  bench.record(name, 'ms', [{ value: quantile(latenciesMs.toSorted(), 0.5)!, latenciesMs }]);
}
