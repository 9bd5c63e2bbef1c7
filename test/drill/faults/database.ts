import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import type { Fault } from '../fault.ts';
import { fill, free, smallFileSystem, unableToMount } from '../small-disk.ts';

/** Faults of the database and of the way to it. */
export const databaseFaults: readonly Fault[] = [
  {
    name: 'postgres-killed',
    about: 'Postgres is killed (SIGKILL) and comes back after 3 s',
    seconds: 35,
    async run({ scene }) {
      await scene.postgres.kill();
      await delay(3_000);
      await scene.postgres.start();
    },
  },
  {
    name: 'postgres-restarted',
    about: 'Postgres is stopped as for an upgrade and comes back',
    seconds: 30,
    async run({ scene }) {
      await scene.postgres.stop();
      await scene.postgres.start();
    },
  },
  {
    name: 'postgres-read-only',
    about: 'Postgres answers that it is read-only for 30 s',
    seconds: 60,
    async run({ scene }) {
      await scene.postgres.configure('default_transaction_read_only', 'on');
      await delay(30_000);
      await scene.postgres.configure('default_transaction_read_only', null);
    },
  },
  {
    name: 'postgres-cut',
    about: 'every connection to Postgres is reset, five times',
    seconds: 30,
    async run({ scene }) {
      for (let times = 0; times < 5; times += 1) {
        for (const { postgres } of scene.links) postgres.cut();
        await delay(700);
      }
    },
  },
  {
    name: 'postgres-silent',
    about: 'the network to Postgres is silent for 40 s (no FIN, no RST), for new connections too',
    seconds: 75,
    async run({ scene }) {
      for (const { postgres } of scene.links) postgres.hang('silent');
      await delay(40_000);
      for (const { postgres } of scene.links) postgres.mend();
    },
  },
  {
    name: 'postgres-silent-sockets',
    about: 'every open connection to Postgres falls silent for good; new ones work',
    seconds: 60,
    async run({ scene, over, watch }) {
      for (const { postgres } of scene.links) postgres.hang('work');
      await delay(25_000);
      over();
      await watch();
      for (const { postgres } of scene.links) postgres.mend();
    },
  },
  {
    name: 'postgres-slow',
    about: 'each packet to and from Postgres takes 150 ms longer for 12 s',
    seconds: 40,
    async run({ scene }) {
      for (const { postgres } of scene.links) postgres.slow(150);
      await delay(12_000);
      for (const { postgres } of scene.links) postgres.mend();
    },
  },
  {
    name: 'postgres-out-of-connections',
    about: 'others take every connection of Postgres for 15 s',
    seconds: 45,
    async run({ scene }) {
      const taken: Client[] = [];
      const take = async () => {
        for (let client: Client | null; (client = await scene.postgres.connect().catch(() => null)) !== null;) {
          taken.push(client);
        }
      };
      const kill =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'drill'";
      await take();
      await taken[0]!.query(kill);
      const until = performance.now() + 15_000;
      while (performance.now() < until) {
        await take();
        await delay(100);
      }
      await Promise.all(taken.map((client) => client.end()));
    },
  },
  {
    name: 'disk-full',
    about: 'the file system of Postgres’ tables is full for 15 s',
    seconds: 60,
    unable: unableToMount,
    scene: { prepare: smallFileSystem },
    async run({ scene }) {
      await fill(scene.directory);
      await delay(15_000);
      await free(scene.directory);
    },
  },
  {
    name: 'outages-of-postgres',
    about: 'three times 9 s without Postgres, with leases of 6 s',
    seconds: 90,
    load: { workMs: () => 12_000 + Math.random() * 20_000, workers: 20 },
    async run({ scene, over, watch }) {
      for (let times = 1; times <= 3; times += 1) {
        for (const { postgres } of scene.links) postgres.refuse();
        await delay(9_000);
        for (const { postgres } of scene.links) postgres.mend();
        if (times < 3) await delay(8_000);
      }
      over();
      await watch();
    },
  },
];
