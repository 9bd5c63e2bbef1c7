import { connectNats } from '../../src/nats/connect.ts';
import type { FilterRequest } from '../../src/queue/filter/filter.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import { type Bench, type Case, warmUp, type CaseSet, nameOf } from '../harness/bench.ts';
import { bodyOf, type LeanClient, leanClient, tasksIn, textOf } from '../harness/lean-client.ts';
import { Backlog, attempt, closedLoop } from '../harness/load.ts';
import { tenMillion } from '../harness/seeds.ts';
import { startRotaOn } from '../harness/stage.ts';
import { pushedTask } from '../harness/tasks.ts';

interface Pops {
  readonly name: string;
  readonly limit: number;
  readonly inFlight: number;
  readonly filters?: object;
  /** Popped and completed. */
  readonly completes?: boolean;
  /** An empty answer is what is measured. */
  readonly empty?: boolean;
}

export const images = (...names: string[]): FilterRequest => ({
  filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'in', value: names }],
});
export const noImage = images('nothing/has:this');
const twoOfFourteen = images('ghcr.io/minvws/openkat/image-3', 'ghcr.io/minvws/openkat/image-8');

const pops: readonly Pops[] = [
  ...[1, 16, 64, 256].map((inFlight) => ({ name: `limit-1-${inFlight}-in-flight`, limit: 1, inFlight })),
  { name: 'limit-10-16-in-flight', limit: 10, inFlight: 16 },
  { name: 'limit-100-16-in-flight', limit: 100, inFlight: 16 },
  { name: 'limit-100-completed', limit: 100, inFlight: 16, completes: true },
  { name: 'two-images-of-14', limit: 1, inFlight: 64, filters: twoOfFourteen },
  { name: 'no-image', limit: 1, inFlight: 1, filters: noImage, empty: true },
];

/** Pops by a lean client from a queue of `depth`, of a Rota of its own. */
export async function popCases(bench: Bench, depth: number): Promise<CaseSet> {
  const filling = depth === tenMillion.queued ? tenMillion : { queued: depth, finished: 0 };
  const rota = await startRotaOn(await bench.stage(), `pop_${nameOf(depth)}`, { filling });
  const connection = await connectNats({ servers: rota.natsUrl });
  const from = { client: leanClient(connection), prefix: rota.prefix, depth, backlog: new Backlog(rota.sql, depth) };
  const repetitions = bench.repetitionsAt(depth);
  await warmUp(popCase(bench, from, { name: 'warm-up', limit: 1, inFlight: 64 }));
  return {
    cases: (depth === 10_000 ? pops.slice(0, 4) : pops).map((one) => ({
      ...popCase(bench, from, { ...one, name: `${one.name}-${nameOf(depth)}` }),
      repetitions,
    })),
    close: async () => {
      await connection.close();
      await rota.stop();
    },
  };
}

/** A queue that is popped from, and brought back to its depth before each sample. */
interface Popped {
  readonly client: LeanClient;
  readonly prefix: string;
  readonly depth: number;
  readonly backlog: Pick<Backlog, 'took' | 'refill'>;
}

export function popCase(bench: Bench, from: Popped, pops: Pops): Case {
  const { name, limit, inFlight, filters, completes = false, empty = false } = pops;
  const { client, prefix, depth, backlog } = from;
  const body = bodyOf({ limit, worker: 'bench', ...(filters === undefined ? {} : { filters }) });
  return {
    name,
    unit: empty ? 'pops/s' : 'tasks/s',
    prepare: () => backlog.refill(),
    sample: () =>
      closedLoop({
        inFlight,
        warmUpMs: bench.warmUpMs,
        measureMs: bench.sampleMs,
        // Of two images in fourteen a seventh of the queue is left to be popped.
        most: Math.min(filters === undefined || empty ? depth / 2 : depth / 14, bench.quick ? 8_000 : Infinity),
        send: (slot, done, failed) =>
          client.request(slot, `${prefix}.pop.boefje`, body, (message) =>
            attempt(failed, () => {
              const text = textOf(message);
              if (empty) done(1);
              else if (!completes) done(backlog.took(tasksIn(text)));
              else complete(from, slot, text, (count) => done(backlog.took(count)), failed);
            }),
          ),
      }),
  };
}

function complete(
  { client, prefix }: Popped,
  slot: number,
  popped: string,
  done: (count: number) => void,
  failed: (error: unknown) => void,
): void {
  const tasks = (JSON.parse(popped) as { results: { id: string; lease_id: string }[] }).results;
  const patches = tasks.map(({ id, lease_id }) => ({ id, lease_id, status: 'completed' }));
  if (patches.length === 0) return done(0);
  client.request(slot, `${prefix}.task.patch`, bodyOf({ patches }), (message) =>
    attempt(failed, () => (textOf(message), done(patches.length))),
  );
}

const perPush = 1_000;

/**
 * One pop at a time after a burst that nothing has analyzed: 200 single pushes and pops on an empty database, whose plans stay,
 * then pushes up to `depth`. All other queues are filled by SQL and analyzed.
 */
export async function coldPops(bench: Bench, depth: number): Promise<CaseSet> {
  const rota = await startRotaOn(await bench.stage(), `pop_cold_${nameOf(depth)}`, { seed: leaveCold });
  const connection = await connectNats({ servers: rota.natsUrl });
  const client = leanClient(connection);
  const push = (tasks: number) =>
    answered(client, `${rota.prefix}.push.boefje`, { tasks: Array.from({ length: tasks }, pushedTask.boefje) });
  const backlog = {
    missing: depth,
    took(tasks: number): number {
      this.missing += tasks;
      return tasks;
    },
    async refill(): Promise<void> {
      for (; this.missing > 0; this.missing -= Math.min(perPush, this.missing))
        await push(Math.min(perPush, this.missing));
    },
  };
  for (let life = 0; life < 200; life += 1) {
    await push(1);
    await answered(client, `${rota.prefix}.pop.boefje`, { limit: 1, worker: 'bench' });
  }
  await backlog.refill();
  const from = { client, prefix: rota.prefix, depth, backlog };
  return {
    cases: [popCase(bench, from, { name: `limit-1-1-in-flight-cold-${nameOf(depth)}`, limit: 1, inFlight: 1 })],
    close: async () => {
      await connection.close();
      await rota.stop();
    },
  };
}

/** Or an autovacuum would analyze the tables at a moment of its own. */
async function leaveCold(sql: Sql): Promise<void> {
  for (const table of ['queue', 'tasks', 'leases', 'schedules']) {
    await sql`ALTER TABLE ${sql(table)} SET (autovacuum_enabled = false)`;
  }
}

function answered(client: LeanClient, subject: string, body: object): Promise<void> {
  return new Promise((resolve, reject) =>
    client.request(0, subject, bodyOf(body), (message) => {
      try {
        if (textOf(message).includes('"error"')) throw new Error(`refused: ${textOf(message).slice(0, 300)}`);
        resolve();
      } catch (error) {
        reject(error);
      }
    }),
  );
}
