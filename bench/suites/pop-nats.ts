import { connectNats } from '../../src/nats/connect.ts';
import type { Case, Suite, Bench } from '../harness/bench.ts';
import { bodyOf, type LeanClient, leanClient, tasksIn, textOf } from '../harness/lean-client.ts';
import { closedLoop } from '../harness/load.ts';
import { queueUpTo, settle } from '../harness/seed.ts';
import { type RotaOnStage, startRotaOn } from '../harness/stage.ts';

const loads = [
  { limit: 1, inFlight: 1 },
  { limit: 1, inFlight: 16 },
  { limit: 1, inFlight: 64 },
  { limit: 1, inFlight: 256 },
  { limit: 10, inFlight: 16 },
  { limit: 100, inFlight: 16 },
] as const;

export const popNats: Suite = {
  name: 'pop',
  about: 'pops over NATS at any depth of the queue, by a lean client with an inbox of its own',
  run: async (bench) => {
    for (const depth of bench.quick ? [100_000] : [10_000, 100_000, 1_000_000]) {
      const rota = await startRotaOn(await bench.stage(), `pop_${depth}`, {}, async (sql) => {
        await queueUpTo(sql, depth);
        await settle(sql);
      });
      const connection = await connectNats({ servers: rota.natsUrl });
      try {
        const client = leanClient(connection);
        await bench.measure(
          'pop',
          loads.map((load) => popCase(bench, rota, client, { ...load, depth })),
        );
      } finally {
        await connection.close();
        await rota.stop();
      }
    }
  },
};

/** Pops without a wait, from a queue that is brought back to its depth before each sample. */
export function popCase(
  bench: Bench,
  rota: RotaOnStage,
  client: LeanClient,
  of: { depth: number; limit: number; inFlight: number; filters?: object; name?: string },
): Case {
  const { depth, limit, inFlight, filters } = of;
  const subject = `${rota.prefix}.pop.boefje`;
  const body = bodyOf({ limit, worker: 'bench', ...(filters === undefined ? {} : { filters }) });
  return {
    name: `nats-${of.name ?? `limit-${limit}`}-${inFlight}-in-flight-${nameOf(depth)}`,
    unit: 'tasks/s',
    prepare: () => queueUpTo(rota.sql, depth),
    sample: () =>
      closedLoop({
        inFlight,
        warmUpMs: bench.warmUpMs,
        measureMs: bench.sampleMs,
        most: depth / 2,
        send: (slot, done, failed) =>
          client.request(slot, subject, body, (message) => {
            try {
              done(tasksIn(textOf(message)));
            } catch (error) {
              failed(error);
            }
          }),
      }),
  };
}

export function nameOf(depth: number): string {
  return depth >= 1_000_000 ? `${depth / 1_000_000}m` : `${depth / 1_000}k`;
}
