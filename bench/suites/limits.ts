import { setTimeout as delay } from 'node:timers/promises';
import { type RotaClient, rotaClient } from '../../src/nats/client.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { patientConnection, type Sql } from '../../src/postgres/pool.ts';
import { type Bench, type Suite, warmUp } from '../harness/bench.ts';
import { until } from '../harness/kat.ts';
import { leanClient } from '../harness/lean-client.ts';
import { Backlog } from '../harness/load.ts';
import { addQueued } from '../harness/seeds.ts';
import { startRotaOn } from '../harness/stage.ts';
import { popCase } from './pop-cases.ts';

const limited = 'org-limited';
/** Rows of one statement while seeding. */
const chunk = 20_000;
const load = { limit: 1, inFlight: 64 };

export const limits: Suite = {
  name: 'limits',
  about:
    'pops of the others while a limit holds the head of the queue, and while many keys have a rate each; how late a task is let go; under two supervisors',
  run: async (bench) => {
    const depth = bench.quick ? 10_000 : 300_000;
    await measure(bench, { name: 'head', depth, keys: 1, atLeast: 0.9 });
    await measure(bench, {
      name: 'keys',
      depth: bench.quick ? 5_000 : 50_000,
      keys: bench.quick ? 1_000 : 10_000,
      atLeast: 0.8,
    });
  },
};

interface Measured {
  readonly name: string;
  /** Tasks before all others that the limit holds, and others behind them. */
  readonly depth: number;
  readonly keys: number;
  readonly atLeast: number;
}

async function measure(bench: Bench, { name, depth, keys, atLeast }: Measured): Promise<void> {
  const stage = await bench.stage();
  const filling = { queued: depth, finished: 0 };
  const [without, within] = await Promise.all([
    startRotaOn(stage, `limits_without_${name}`, { filling, supervisors: 2 }),
    startRotaOn(stage, `limits_within_${name}`, {
      filling,
      supervisors: 2,
      seed: async (sql) => {
        for (let done = 0; done < depth; done += chunk)
          await addQueued(sql, { rows: Math.min(chunk, depth - done), rank: 1 + done / 100, organisation: limited });
        await spread(sql, keys);
      },
    }),
  ]);
  const connection = await connectNats({ servers: stage.natsUrl });
  const client = rotaClient(connection, { prefix: within.prefix, timeoutMs: 60_000 });
  try {
    // One an hour holds the head for good; with many keys a tenth of them has room each second.
    const rate = { tasks: 1, seconds: keys === 1 ? 3_600 : 10 };
    const began = performance.now();
    await client.ctl('set-limit', { name: 'bench', organisation: limited, key: '{ooi}', rate });
    const parked = async () => {
      const [rows] = await within.sql<{ free: number }[]>`
        SELECT count(*)::integer AS free FROM queue WHERE organisation = ${limited} AND parked IS NULL`;
      return rows!.free <= keys;
    };
    // It reads the whole queue, with all cores.
    await until('parked', parked, { withinMs: 600_000, everyMs: 1_000 });
    bench.record(`limits/${name}-to-park`, 's', [{ value: (performance.now() - began) / 1_000 }]);
    const lean = leanClient(connection);
    const pops = [
      { name: `pops-no-limit-${name}`, rota: without, depth },
      { name: `pops-limited-${name}`, rota: within, depth: depth * 2 },
    ].map(({ name, rota, depth }) => {
      const backlog = new Backlog(rota.sql, depth);
      return popCase(bench, { client: lean, prefix: rota.prefix, depth: depth / 2, backlog }, { ...load, name });
    });
    for (const one of pops) await warmUp(one, bench.quick ? 1 : 3);
    await bench.measure('limits', pops);
    bench.want(`limits/pops-limited-${name}`, { against: 'no limit', of: `limits/pops-no-limit-${name}`, atLeast });
    bench.record(`limits/${name}-let-go-after`, 'ms', [await lags(client, bench.quick ? 30 : 500)]);
    bench.want(`limits/${name}-let-go-after`, { own: 'p99_ms', atMost: 500 });
  } finally {
    await connection.close();
    await without.stop();
    await within.stop();
  }
}

/** Each OOI is a key. Nothing of the filling is left to a vacuum beside the samples. */
async function spread(sql: Sql, keys: number): Promise<void> {
  const patient = patientConnection(sql, 600_000);
  try {
    await patient`
      UPDATE tasks SET data = jsonb_set(data, '{input_ooi}', to_jsonb('Hostname|internet|h' || (hashtext(id::text) & 2147483647) % ${keys}::integer))
      WHERE organisation = ${limited}`;
    await patient`VACUUM ANALYZE`;
  } finally {
    await patient.end();
  }
}

/** A task with a key of its own to a pop that waits: how long the limit takes to let it go. */
async function lags(client: RotaClient, count: number): Promise<{ value: number; latenciesMs: Float64Array }> {
  const filters = { filters: [{ column: 'organisation', field: null, operator: 'eq' as const, value: 'org-lag' }] };
  await client.ctl('set-limit', {
    name: 'lag',
    organisation: 'org-lag',
    key: '{ooi}',
    rate: { tasks: 1, seconds: 3_600 },
  });
  const latenciesMs: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const popped = client.pop('boefje', { limit: 1, wait_ms: 30_000, filters });
    await delay(20);
    const began = performance.now();
    const data = { boefje: { id: 'lag' }, input_ooi: `Hostname|internet|lag-${n}`, organization: 'org-lag' };
    await client.push('boefje', { organisation: 'org-lag', data, priority: 1 });
    await popped;
    latenciesMs.push(performance.now() - began);
  }
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  return { value: sorted[Math.floor(sorted.length * 0.99)]!, latenciesMs: Float64Array.from(latenciesMs) };
}
