import { setTimeout as delay } from 'node:timers/promises';
import type { FilterRequest } from '../../src/queue/filter/filter.ts';
import { rotaClient, type RotaClient } from '../../src/nats/client.ts';
import { connectNats } from '../../src/nats/connect.ts';
import type { StartEstimate } from '../../src/protocol/operator-lists.ts';
import type { Bench, Suite } from '../harness/bench.ts';
import { startRotaOn } from '../harness/stage.ts';

/** Pushed and handed out per second, how many wait all the while, and who works. */
const images = [
  { image: 'quick', perSecond: 12, waiting: 120, workers: 6 },
  { image: 'slow', perSecond: 4, waiting: 60, workers: 4 },
] as const;
/** Half of all tasks are of the first, a tenth of each of the others but the second. */
const organisations = ['big', 'big', 'big', 'big', 'big', 'second', 'second', 'third', 'fourth', 'fifth'];
/** An estimate is asked for this often, for the task that was pushed last. */
const askEveryMs = 250;
const pushEveryMs = 100;
/** Four times what a task waits where workers keep up. */
const waitsAtMostMs = 180_000;

const cases = [
  { name: 'workers-by-image', ranker: 'created-at', byImage: true },
  { name: 'workers-of-any', ranker: 'created-at', byImage: false },
  { name: 'fair-share', ranker: 'fair-share', byImage: true },
] as const;

export const estimates: Suite = {
  name: 'estimates',
  about: 'when queued tasks are estimated to start, beside when they do, under steady load',
  run: async (bench) => {
    // Beside each other: each leaves the machine idle nearly all the time.
    const errors = await Promise.all(cases.map((one) => measure(bench, one)));
    for (const [at, { name }] of cases.entries()) {
      bench.record(
        `estimates/${name}`,
        '% off',
        errors[at]!.map((value) => ({ value })),
      );
      bench.want(`estimates/${name}`, { own: 'median', atMost: 25 });
    }
  },
};

interface Estimated {
  readonly askedAt: number;
  readonly startsAt: number;
}

/** @returns how far each estimate was off, in percent of what the task waited from then on */
async function measure(bench: Bench, { name, ranker, byImage }: (typeof cases)[number]): Promise<readonly number[]> {
  const rota = await startRotaOn(await bench.stage(), `estimates_${name.replaceAll('-', '_')}`, {
    settings: { SCHEDULER_BOEFJE_RANKER: ranker },
  });
  const connection = await connectNats({ servers: rota.natsUrl });
  const client = rotaClient(connection, { prefix: rota.prefix, timeoutMs: 60_000 });
  const over = new AbortController();
  const estimated = new Map<string, Estimated>();
  const errors: number[] = [];
  const begun = new Set<string>();
  const started = (id: string) => {
    begun.add(id);
    const estimate = estimated.get(id);
    if (estimate === undefined) return;
    const now = Date.now();
    errors.push((Math.abs(estimate.startsAt - now) / (now - estimate.askedAt)) * 100);
    estimated.delete(id);
  };
  try {
    const parts = images.flatMap(({ image, perSecond, workers }) => [
      pushSteadily(client, image, perSecond, over.signal),
      ...Array.from({ length: workers }, () =>
        work(client, byImage ? only(image) : null, (workers / perSecond) * 1_000, started, over.signal),
      ),
    ]);
    const working = Promise.all(parts);
    working.catch(() => over.abort());
    // A supervisor that has just started is slower at first: nothing waits until then, so that no rate has that time in it.
    await delay(bench.quick ? 8_000 : 15_000);
    // Where organisations take turns, only one that pushes more than its share has a backlog.
    for (const { image, waiting } of images) await push(client, image, waiting, ['big']);
    await delay(bench.quick ? 10_000 : 20_000);
    const until = performance.now() + (bench.quick ? 10_000 : 40_000);
    for (let turn = 0; performance.now() < until && !over.signal.aborted; turn += 1) {
      const [id] = await push(client, images[turn % images.length]!.image, 1);
      const askedAt = Date.now();
      const answer = await fetch(`${rota.supervisor.api}/tasks/${id}/start`);
      const { estimated_start_at: at, unknown } = (await answer.json()) as StartEstimate;
      // Under steady load there is one for each task, but for what began before it was asked for.
      if (at !== null && !begun.has(id!)) estimated.set(id!, { askedAt, startsAt: Date.parse(at) });
      else if (at === null && unknown !== 'not-queued') throw new Error(`${name}: ${unknown}`);
      await delay(askEveryMs);
    }
    const last = performance.now() + waitsAtMostMs;
    while (estimated.size > 0 && performance.now() < last && !over.signal.aborted) await delay(100);
    over.abort();
    await working;
    if (estimated.size > 0) throw new Error(`${name}: ${estimated.size} tasks have not started`);
    return errors;
  } finally {
    over.abort();
    await connection.close();
    await rota.stop();
  }
}

let number = 0;

async function push(client: RotaClient, image: string, count: number, of = organisations): Promise<readonly string[]> {
  const tasks = Array.from({ length: count }, () => {
    number += 1;
    const organisation = of[Math.floor(Math.random() * of.length)]!;
    const boefje = { id: `boefje-${image}`, name: image, version: null, oci_image: image };
    return {
      organisation,
      data: { boefje, input_ooi: `Hostname|internet|${number}.example`, organization: organisation },
    };
  });
  return (await client.push('boefje', tasks)).map((result) => {
    if ('error' in result) throw new Error(result.error.detail);
    return result.id;
  });
}

async function pushSteadily(client: RotaClient, image: string, perSecond: number, signal: AbortSignal): Promise<void> {
  const began = performance.now();
  let pushed = 0;
  while (!signal.aborted) {
    const due = Math.floor(((performance.now() - began) / 1_000) * perSecond) - pushed;
    if (due > 0) await push(client, image, due);
    pushed += due;
    await delay(pushEveryMs);
  }
}

/** Pops one, completes it, and pops the next one after a time that varies as that of real work does. */
async function work(
  client: RotaClient,
  filters: FilterRequest | null,
  meanMs: number,
  started: (id: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let due = performance.now();
  while (!signal.aborted) {
    const [task] = await client.pop('boefje', { limit: 1, wait_ms: 1_000, ...(filters === null ? {} : { filters }) });
    if (task === undefined) continue;
    started(task.id);
    await client.patch({ id: task.id, status: 'completed', lease_id: task.lease_id });
    // What it waited for a task is not made up for.
    due = Math.max(due, performance.now() - meanMs) + meanMs * (0.5 + Math.random());
    await delay(Math.max(0, due - performance.now()));
  }
}

function only(image: string): FilterRequest {
  return { filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'eq', value: image }] };
}
