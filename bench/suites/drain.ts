import { Client } from 'pg';
import { connectNats } from '../../src/nats/connect.ts';
import { type Bench, type Suite, nameOf } from '../harness/bench.ts';
import { bodyOf, leanClient, tasksIn, textOf } from '../harness/lean-client.ts';
import { queueUpTo } from '../harness/seeds.ts';
import { type RotaOnStage, startRotaOn } from '../harness/stage.ts';

const inFlight = 64;
const limit = 10;
const parts = 10;
/** Beside the depth, popped before the first tenth begins: a supervisor that has just started is slower at first. */
const warmUp = 0.1;

export const drain: Suite = {
  name: 'drain',
  about: 'whether a long drain slows down, alone and while an old snapshot is held open',
  run: async (bench) => {
    const depths = bench.quick ? [10_000, 100_000] : [1_000_000];
    // A tenth of 10 000 is over before a snapshot could matter.
    const runs = depths.flatMap((depth) => (depth > 10_000 ? [false, true] : [false]).map((held) => ({ depth, held })));
    for (const { depth, held } of runs) {
      const rota = await startRotaOn(await bench.stage(), 'drain', {
        filling: { queued: depth, finished: 0 },
        seed: (sql) => queueUpTo(sql, depth * (1 + warmUp)),
      });
      const snapshot = held ? await holdSnapshot(rota.databaseUrl) : null;
      try {
        const name = `drain/${nameOf(depth)}${held ? '-old-snapshot' : ''}`;
        report(bench, name, depth, await drainedAt(rota, depth), held ? 0.5 : 0.8);
      } finally {
        await snapshot?.end();
        await rota.stop();
      }
    }
  },
};

/** A forgotten transaction: no vacuum may remove what it could still see. */
async function holdSnapshot(databaseUrl: string): Promise<Client> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  await client.query('SELECT 1');
  return client;
}

/** @returns when each tenth of the queue was handed out, in ms; the first entry is 0. */
async function drainedAt(rota: RotaOnStage, depth: number): Promise<number[]> {
  const connection = await connectNats({ servers: rota.natsUrl });
  const client = leanClient(connection);
  const body = bodyOf({ limit, worker: 'bench', lease_ms: 3_600_000 });
  let began = 0;
  const marks: number[] = [];
  let popped = -depth * warmUp;
  await Promise.all(
    Array.from(
      { length: inFlight },
      (_, slot) =>
        new Promise<void>((resolve, reject) => {
          const next = () =>
            client.request(slot, `${rota.prefix}.pop.boefje`, body, (message) => {
              try {
                const count = tasksIn(textOf(message));
                popped += count;
                while (popped >= (marks.length / parts) * depth && marks.length <= parts) {
                  if (marks.length === 0) began = performance.now();
                  marks.push(performance.now() - began);
                }
                if (count === 0) resolve();
                else next();
              } catch (error) {
                reject(error);
              }
            });
          next();
        }),
    ),
  );
  await connection.close();
  if (popped !== depth) throw new Error(`${popped} of ${depth} tasks were handed out`);
  return marks;
}

function report(bench: Bench, name: string, depth: number, marks: readonly number[], atLeast: number): void {
  const rates = marks.slice(1).map((mark, at) => (depth / parts / (mark - marks[at]!)) * 1_000);
  bench.record(
    `${name}-tenths`,
    'tasks/s',
    rates.map((value) => ({ value })),
  );
  bench.record(`${name}-first-tenth`, 'tasks/s', [{ value: rates[0]! }]);
  bench.record(`${name}-last-tenth`, 'tasks/s', [{ value: rates.at(-1)! }]);
  // A tenth of 10 000 is over before a rate can be measured.
  if (depth < 100_000) return;
  bench.want(`${name}-last-tenth`, { against: 'first tenth', of: `${name}-first-tenth`, atLeast });
}
