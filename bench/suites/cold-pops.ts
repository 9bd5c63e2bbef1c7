import { connectNats } from '../../src/nats/connect.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import type { Bench } from '../harness/bench.ts';
import type { CaseSet } from '../harness/case-set.ts';
import { bodyOf, type LeanClient, leanClient, textOf } from '../harness/lean-client.ts';
import { nameOf } from '../harness/names.ts';
import { startRotaOn } from '../harness/stage.ts';
import { pushedTask } from '../harness/tasks.ts';
import { popCase } from './pop-cases.ts';

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
