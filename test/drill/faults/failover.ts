import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

/** The primary dies, the standby takes its place, and the old primary comes back as a standby of it, at its old port. */
async function failOver(scene: Scene): Promise<void> {
  const [dead, next] = [scene.postgres, scene.standby!];
  await dead.kill();
  await next.promote();
  scene.postgres = next;
  const old = await next.standby(dead.directory, dead.port);
  scene.stack.defer(() => old.stop());
}

/** Failovers: Postgres' own replication, synchronous, so that what was committed is on the standby. */
export const failoverFaults: readonly Fault[] = [
  {
    name: 'failover-behind-an-address',
    about: 'the standby takes over; for 10 s the address leads to the old primary, which is a standby by then',
    seconds: 75,
    scene: { standby: 'behind-the-address' },
    async run({ scene }) {
      await failOver(scene);
      await delay(10_000);
      // Connections that are open stay where they are.
      for (const { postgres } of scene.links) postgres.lead(scene.postgres.port);
    },
  },
  {
    name: 'failover-of-two-hosts',
    about: 'the standby takes over, and the URL names both; the old primary comes back as a standby',
    seconds: 75,
    scene: { standby: 'in-the-url' },
    run: async ({ scene }) => failOver(scene),
  },
];
