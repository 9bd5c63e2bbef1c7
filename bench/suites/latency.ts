import { subjectsOf } from '../../src/events/subjects.ts';
import { scanProfileMutation } from '../../src/simulator/events.ts';
import type { Bench, Suite } from '../harness/bench.ts';
import { covered, type Interval } from '../harness/intervals.ts';
import { type KatOnStage, startKatOn, untilLooked } from '../harness/kat.ts';
import { quantile } from '../harness/quantiles.ts';
import { hostname, plainWorld } from '../harness/world.ts';

export const latency: Suite = {
  name: 'latency',
  about: 'how long an event, or a push, takes to a worker that waits on an idle system',
  run: async (bench) => {
    const answers: Interval[] = [];
    const answered = (began: number, ended: number) => answers.push({ began, ended });
    const world = plainWorld({ organisations: 1, boefjes: 1, objects: 0 });
    const stage = await startKatOn(bench, 'latency', world, { answered });
    const count = bench.quick ? 60 : 500;
    let number = 0;
    try {
      await untilLooked(stage);
      const ways = await sampled(count, () => eventToWorker(stage, answers, number++));
      const ofRota = ways.map(({ delivered, replied, services }) => replied - delivered - services);
      record(bench, 'latency/event-to-worker', ofRota);
      const ofAll = ways.map(({ published, replied }) => replied - published);
      record(bench, 'latency/publish-to-worker', ofAll);
      record(bench, 'latency/push-to-worker', await sampled(count, () => pushToWorker(stage, number++)));
      bench.want('latency/event-to-worker', { own: 'p50_ms', atMost: 8 }, { own: 'p99_ms', atMost: 25 });
    } finally {
      await stage.stop();
    }
  },
};

/** Times by performance.now() of an event's way to the worker. */
interface Way {
  readonly published: number;
  /** A subscriber beside the actor had it: no later than the actor. */
  readonly delivered: number;
  readonly replied: number;
  /** Milliseconds in between in which a service of KAT was answering. */
  readonly services: number;
}

async function eventToWorker(stage: KatOnStage, answers: Interval[], at: number): Promise<Way> {
  const { client, events, kat, rota } = stage;
  const organisation = kat.world.organisations.get('org-1')!;
  const object = hostname(0, at);
  organisation.objects.set(object.reference, object);
  const body = JSON.stringify(scanProfileMutation(organisation.id, 'create', object));
  answers.length = 0;
  let delivered = Number.POSITIVE_INFINITY;
  const beside = client.connection.subscribe(subjectsOf(rota.prefix).main('scan_profile_mutations'), {
    callback: () => (delivered = performance.now()),
  });
  const popped = await timedPop(client, object.reference, () => events.publish('scan_profile_mutations', body));
  beside.unsubscribe();
  if (delivered > popped.ended) throw new Error('the event was not seen before its task');
  const services = covered({ began: delivered, ended: popped.ended }, answers);
  return { published: popped.began, delivered, replied: popped.ended, services };
}

async function pushToWorker({ client }: KatOnStage, number: number): Promise<number> {
  const boefje = { id: 'pushed', name: 'Pushed', oci_image: null };
  const ooi = `Hostname|internet|${number}`;
  const data = { boefje, input_ooi: ooi, organization: 'org-1' };
  const { began, ended } = await timedPop(client, ooi, () =>
    client.push('boefje', { organisation: 'org-1', priority: 1, data }),
  );
  return ended - began;
}

async function timedPop(client: KatOnStage['client'], ooi: string, cause: () => Promise<unknown>): Promise<Interval> {
  let ended = 0;
  const popped = client.pop('boefje', { wait_ms: 30_000 }).finally(() => (ended = performance.now()));
  // Parked: the pop has looked and found nothing.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const began = performance.now();
  const [[task]] = await Promise.all([popped, cause()]);
  if (task?.data['input_ooi'] !== ooi) throw new Error(`expected the task of ${ooi} within 30 s`);
  await client.patch({ id: task.id, lease_id: task.lease_id, status: 'completed' });
  return { began, ended };
}

async function sampled<T>(count: number, sample: () => Promise<T>): Promise<T[]> {
  for (let warmUp = 0; warmUp < 10; warmUp += 1) await sample();
  const samples: T[] = [];
  for (let at = 0; at < count; at += 1) samples.push(await sample());
  return samples;
}

function record(bench: Bench, name: string, latencies: readonly number[]): void {
  const latenciesMs = Float64Array.from(latencies);
  bench.record(name, 'ms', [{ value: quantile(latenciesMs.toSorted(), 0.5)!, latenciesMs }]);
}
