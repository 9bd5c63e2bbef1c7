import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../../src/embedded/process.ts';
import type { Drill, Fault } from '../fault.ts';
import { startBouncer, unableToBounce } from '../pgbouncer.ts';
import { Supervisor } from '../supervisor.ts';

const refusesWithinMs = 30_000;

export const pgbouncerFaults: readonly Fault[] = [
  {
    name: 'pgbouncer-session',
    about: 'Postgres behind a pgbouncer in session mode is killed and comes back after 3 s',
    seconds: 45,
    unable: unableToBounce,
    scene: { pgbouncer: true },
    async run({ scene }) {
      await scene.postgres.kill();
      await delay(3_000);
      await scene.postgres.start();
    },
  },
  {
    name: 'pgbouncer-transaction',
    about: 'a supervisor starts on a pgbouncer in transaction mode, which cannot work',
    seconds: 45,
    unable: unableToBounce,
    run: refuseTransactionMode,
  },
];

async function refuseTransactionMode({ scene, broke }: Drill): Promise<void> {
  const bouncer = await startBouncer(scene.directory, { target: scene.postgres, mode: 'transaction' });
  const environment = {
    ...scene.environmentOf(0),
    SCHEDULER_DB_URI: `postgres://rota@127.0.0.1:${bouncer.port}/rota`,
    // Apart from the others: it must not answer their requests.
    SCHEDULER_NATS_PREFIX: 'bounced',
  };
  const log = join(scene.directory, 'bounced.log');
  const supervisor = new Supervisor({ number: scene.supervisors.length, port: await freePort(), log, environment });
  try {
    supervisor.spawn();
    const deadline = performance.now() + refusesWithinMs;
    while (!supervisor.ended() && performance.now() < deadline) await delay(100);
    const guarantee = 'what cannot work is refused at the start';
    if (!supervisor.ended()) broke(guarantee, `runs on it, and says that it is ready: ${await supervisor.isReady()}`);
    else if (!/transaction/i.test(supervisor.tail())) broke(guarantee, `ends without saying why: ${supervisor.tail()}`);
  } finally {
    await supervisor.end('SIGTERM', 12_000);
    await bouncer.stop();
  }
}
