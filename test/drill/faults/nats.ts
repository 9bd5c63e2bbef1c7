import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

/** Faults of NATS, of the links to it, and of what travels on them. */
export const natsFaults: readonly Fault[] = [
  {
    name: 'nats-killed',
    about: 'nats-server is killed (SIGKILL) and comes back after 3 s',
    seconds: 30,
    unanswered: ['nats'],
    async run({ scene }) {
      await scene.nats[0]!.kill();
      await delay(3_000);
      await scene.nats[0]!.start();
    },
  },
  {
    name: 'nats-cut',
    about: 'every supervisor’s connection to NATS is reset, five times',
    seconds: 30,
    unanswered: ['nats'],
    async run({ scene }) {
      for (let times = 0; times < 5; times += 1) {
        for (const { nats } of scene.links) nats.cut();
        await delay(700);
      }
    },
  },
  {
    name: 'nats-deaf',
    about: 'what NATS sends to one supervisor is lost, on a connection that stays open',
    seconds: 60,
    unanswered: ['nats'],
    async run({ scene, over, watch }) {
      scene.links[0]!.nats.drop('to-client');
      await delay(25_000);
      over();
      await watch();
      scene.links[0]!.nats.mend();
    },
  },
  {
    name: 'nats-mute',
    about: 'what one supervisor sends to NATS is lost, on a connection that stays open',
    seconds: 60,
    unanswered: ['nats'],
    async run({ scene, over, watch }) {
      scene.links[0]!.nats.drop('to-server');
      await delay(25_000);
      over();
      await watch();
      scene.links[0]!.nats.mend();
    },
  },
  {
    name: 'nats-frozen',
    about: 'nats-server is frozen (SIGSTOP) for 15 s',
    seconds: 45,
    unanswered: ['nats'],
    async run({ scene }) {
      scene.nats[0]!.signal('SIGSTOP');
      await delay(15_000);
      scene.nats[0]!.signal('SIGCONT');
    },
  },
  {
    name: 'outages-of-nats',
    about: 'three times 9 s without NATS, with leases of 6 s',
    seconds: 90,
    unanswered: ['nats'],
    load: { workMs: () => 12_000 + Math.random() * 20_000, workers: 20 },
    async run({ scene, over, watch }) {
      for (let times = 1; times <= 3; times += 1) {
        await scene.nats[0]!.kill();
        await delay(9_000);
        await scene.nats[0]!.start();
        if (times < 3) await delay(8_000);
      }
      over();
      await watch();
    },
  },
  {
    name: 'jetstream-away',
    about: 'JetStream, which the events come from, is away for 15 s',
    seconds: 55,
    scene: { events: 'jetstream' },
    unanswered: ['nats'],
    async run({ scene }) {
      await scene.nats[0]!.kill();
      await delay(15_000);
      await scene.nats[0]!.start();
    },
  },
  {
    name: 'nats-node-killed',
    about: 'three supervisors on a NATS cluster of three, one server of which is killed',
    seconds: 55,
    scene: { supervisors: 3, natsCluster: true },
    unanswered: ['nats'],
    async run({ scene }) {
      await scene.nats[0]!.kill();
      await delay(3_000);
    },
  },
];
