import { subjectsOf } from '../../src/events/jetstream-streams.ts';
import { scanProfileMutation } from '../../src/simulator/events.ts';
import { boefjes } from '../../src/simulator/plugins.ts';
import type { PopOptions, RotaClient } from '../../src/nats/client.ts';
import { type Bench, type Suite, type Size, sizesOf } from '../harness/bench.ts';
import { covered, type Interval, quantile } from '../harness/statistics.ts';
import { type KatOnStage, startKatOn, untilLooked, hostname, plainWorld } from '../harness/kat.ts';
import { images } from './pop-cases.ts';

/** Of the one boefje there is. */
const image = boefjes(1)[0]!.oci_image!;

export const latency: Suite = {
  name: 'latency',
  about: 'how long an event, or a push, takes to a worker that waits on an idle system',
  run: async (bench) => {
    for (const size of sizesOf(bench.quick, 0)) await measure(bench, size);
  },
};

/** What else is queued is for other images than the worker's: no pop of it would wait otherwise. */
async function measure(bench: Bench, { tasks, suffix }: Size): Promise<void> {
  const answers: Interval[] = [];
  const answered = (began: number, ended: number) => answers.push({ began, ended });
  const world = plainWorld({ organisations: 1, boefjes: 1, objects: 0 });
  const filling = { queued: tasks, finished: 0 };
  const stage = await startKatOn(bench, `latency${tasks}`, world, { filling, answered });
  const request = { wait_ms: 30_000, ...(tasks === 0 ? {} : { filters: images(image) }) };
  const count = bench.quick ? 25 : 500;
  let number = 0;
  try {
    await untilLooked(stage);
    const ways = await sampled(count, () => eventToWorker(stage, request, answers, number++));
    const ofRota = ways.map(({ delivered, replied, services }) => replied - delivered - services);
    record(bench, `latency/event-to-worker${suffix}`, ofRota);
    const ofAll = ways.map(({ published, replied }) => replied - published);
    record(bench, `latency/publish-to-worker${suffix}`, ofAll);
    const pushes = await sampled(count, () => pushToWorker(stage, request, number++));
    record(bench, `latency/push-to-worker${suffix}`, pushes);
    bench.want(`latency/event-to-worker${suffix}`, { own: 'p50_ms', atMost: 8 }, { own: 'p99_ms', atMost: 25 });
  } finally {
    await stage.stop();
  }
}

/** Times by performance.now() of an event's way to the worker. */
interface Way {
  readonly published: number;
  /** A subscriber beside the actor had it: no later than the actor. */
  readonly delivered: number;
  readonly replied: number;
  /** Milliseconds in between in which a service of KAT was answering. */
  readonly services: number;
}

async function eventToWorker(stage: KatOnStage, request: PopOptions, answers: Interval[], at: number): Promise<Way> {
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
  const popped = await timedPop(client, request, object.reference, () =>
    events.publish('scan_profile_mutations', body),
  );
  beside.unsubscribe();
  if (delivered > popped.ended) throw new Error('the event was not seen before its task');
  const services = covered({ began: delivered, ended: popped.ended }, answers);
  return { published: popped.began, delivered, replied: popped.ended, services };
}

async function pushToWorker({ client }: KatOnStage, request: PopOptions, number: number): Promise<number> {
  const boefje = { id: 'pushed', name: 'Pushed', oci_image: image };
  const ooi = `Hostname|internet|${number}`;
  const data = { boefje, input_ooi: ooi, organization: 'org-1' };
  const { began, ended } = await timedPop(client, request, ooi, () =>
    client.push('boefje', { organisation: 'org-1', priority: 1, data }),
  );
  return ended - began;
}

async function timedPop(
  client: RotaClient,
  request: PopOptions,
  ooi: string,
  cause: () => Promise<unknown>,
): Promise<Interval> {
  let ended = 0;
  const popped = client.pop('boefje', request).finally(() => (ended = performance.now()));
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
