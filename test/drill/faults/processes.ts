import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

/** Processes that are killed and frozen: supervisors and workers. */
export const processFaults: readonly Fault[] = [
  {
    name: 'supervisor-killed',
    about: 'one of two supervisors is killed (SIGKILL) and started again, three times',
    seconds: 50,
    unanswered: ['nats', 0],
    async run({ scene }) {
      const [supervisor] = scene.supervisors;
      for (let times = 0; times < 3; times += 1) {
        await supervisor!.end('SIGKILL', 5_000);
        supervisor!.spawn();
        await supervisor!.ready();
      }
    },
  },
  {
    name: 'supervisor-frozen',
    about: 'one of two supervisors is frozen (SIGSTOP) for 30 s',
    seconds: 60,
    unanswered: ['nats', 0],
    async run({ scene }) {
      scene.supervisors[0]!.signal('SIGSTOP');
      await delay(30_000);
      scene.supervisors[0]!.signal('SIGCONT');
    },
  },
  {
    name: 'workers-killed',
    about: 'every worker is killed while it holds tasks; others come',
    seconds: 40,
    load: { workMs: () => 2_000 },
    async run({ load, over, watch }) {
      const killed = [...load.workers];
      await Promise.all(killed.map((worker) => worker.kill()));
      load.ledger.abandon();
      load.workers.clear();
      await delay(1_000);
      for (const _worker of killed) await load.addWorker();
      over();
      await watch();
    },
  },
];
