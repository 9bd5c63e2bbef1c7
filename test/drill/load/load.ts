import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from 'nats';
import { addOrganisation } from '../../support/kat-world.ts';
import { Answers } from '../answers.ts';
import { Ledger } from '../ledger.ts';
import type { Scene } from '../scene.ts';
import { connectNats } from '../wire.ts';
import { Events } from './events.ts';
import { Pushes } from './pushes.ts';
import { Runner } from './runner.ts';
import { Worker } from './worker.ts';

export interface LoadOptions {
  readonly leaseMs: number;
  /** How long the next task takes. */
  workMs(): number;
  readonly workers: number;
}

/** Short leases; most tasks are done at once, some outlive their first lease. */
export const plainLoad: LoadOptions = {
  leaseMs: 6_000,
  workMs: () => (Math.random() < 0.15 ? 4_000 + Math.random() * 4_000 : 100),
  workers: 6,
};

/** Everything that uses Rota in a drill. */
export interface Load {
  readonly options: LoadOptions;
  readonly answers: Answers;
  readonly ledger: Ledger;
  readonly organisation: string;
  readonly nats: NatsConnection;
  readonly pushes: Pushes;
  readonly events: Events;
  /** A fault may kill them, and start others. */
  readonly workers: Set<Worker>;
  addWorker(): Promise<void>;
  stop(): Promise<void>;
}

export async function startLoad(scene: Scene, options: LoadOptions): Promise<Load> {
  const [answers, ledger] = [new Answers(), new Ledger()];
  // Katalogus knows it: what is scheduled for an organisation that is gone does not run.
  const organisation = addOrganisation(scene.kat.world).id;
  const servers = scene.nats.map(({ port }) => `nats://127.0.0.1:${port}`);
  const nats = await connectNats(servers);
  const { supervisors } = scene;
  const pushes = new Pushes({ nats, supervisors, answers, ledger, organisation, perSecond: 4 });
  await pushes.stock();
  const workers = new Set<Worker>();
  const addWorker = async () => {
    const name = `worker ${workers.size}`;
    const { leaseMs, workMs } = options;
    workers.add(await Worker.start({ servers, name, answers, ledger, leaseMs, workMs, slots: 4 }));
  };
  for (let number = 0; number < options.workers; number += 1) await addWorker();
  const runners = supervisors.map((supervisor) => new Runner({ supervisor, answers, ledger, scheduler: 'normalizer' }));
  const events = await Events.start(scene, 3);
  return {
    options,
    answers,
    ledger,
    organisation,
    nats,
    pushes,
    events,
    workers,
    addWorker,
    stop: async () => {
      pushes.stop();
      for (const runner of runners) runner.stop();
      await Promise.all([...workers].map((worker) => worker.stop(2_000)));
      await events.stop();
      await Promise.race([nats.close(), delay(2_000)]);
    },
  };
}
