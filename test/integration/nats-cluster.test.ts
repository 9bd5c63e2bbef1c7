import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNats } from '../../src/embedded/nats.ts';
import { type Embedded, freePort } from '../../src/embedded/process.ts';
import { connectRota, type RotaClient } from '../../src/nats/client.ts';
import { type House, openHouse } from '../support/rota.ts';
import { openNats } from '../support/services.ts';

/** docs/scaling.md: three servers, named by all; the loss of any one of them stops nothing. */
const names = ['nats-1', 'nats-2', 'nats-3'];
let folder: string;
let house: House;
let ports: readonly number[];
let worker: RotaClient;
const servers: Embedded[] = [];

async function startServer(at: number): Promise<void> {
  servers[at] = await startNats({
    directory: join(folder, names[at]!),
    port: ports[at]!,
    config: join(folder, `${names[at]!}.conf`),
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rota-cluster-'));
  ports = await Promise.all(names.map(freePort));
  const routes = await Promise.all(names.map(freePort));
  const peers = routes.map((port) => `nats://127.0.0.1:${port}`).join(', ');
  await Promise.all(
    names.map((name, at) =>
      writeFile(
        join(folder, `${name}.conf`),
        `include ${JSON.stringify(relative(folder, openNats))}\nserver_name: ${name}\ncluster { name: rota, listen: "127.0.0.1:${routes[at]}", routes: [${peers}] }\n`,
      ),
    ),
  );
  await Promise.all(names.map((_name, at) => startServer(at)));
  house = await openHouse();
  const NATS_URL = ports.map((port) => `nats://127.0.0.1:${port}`).join(',');
  await house.start({ environment: { NATS_URL } });
  worker = await connectRota({ servers: NATS_URL, prefix: house.prefix });
});
afterAll(async () => {
  await worker?.close();
  await house?.stop();
  await Promise.all(servers.map((server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
});

/** As workers do: what was not answered is asked again. */
async function again<T>(ask: () => Promise<T>): Promise<T> {
  let answer: T | undefined;
  await expect
    .poll(async () => {
      answer = await ask().catch(() => undefined);
      return answer;
    })
    .toBeDefined();
  return answer!;
}

/** A task's whole life; with its id a push that is made twice is one. */
async function passOne(): Promise<void> {
  const id = randomUUID();
  const data = { organisation_id: 'aa', report_recipe_id: id };
  await again(() => worker.push('report', { id, organisation: 'aa', priority: 1, data }));
  const [task] = await again(() => worker.pop('report', { worker: 'cluster', wait_ms: 10_000 }));
  expect(task!.id).toBe(id);
  const ended = await again(() => worker.patch({ id, lease_id: task!.lease_id, status: 'completed' }));
  expect(ended.status).toBe('completed');
}

test.each([0, 1, 2])(
  'server %i of three is killed: a supervisor and a worker go on',
  { timeout: 60_000 },
  async (at) => {
    await passOne();
    process.kill(servers[at]!.pid, 'SIGKILL');
    await passOne();
    await startServer(at);
    await passOne();
  },
);
