import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startNats } from '../../src/embedded/nats.ts';
import { freePort } from '../../src/embedded/process.ts';
import { answers, connectNats } from '../../src/nats/connect.ts';
import { runWorker } from '../../src/nats/worker.ts';
import { startProxy } from '../support/proxy.ts';
import { boefjeTask, queueUnderTest } from '../support/queue.ts';
import { startWire, type Wire } from '../support/wire.ts';

async function ownNats() {
  const directory = await mkdtemp(join(tmpdir(), 'rota-leases-'));
  const port = await freePort();
  let server = await startNats({ directory, port });
  onTestFinished(async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });
  return {
    port,
    url: server.url,
    behind: (proxied: number) => Object.assign(new URL(server.url), { port: String(proxied) }).href,
    stop: () => server.stop(),
    start: async () => {
      server = await startNats({ directory, port });
    },
  };
}

test('NATS away for longer than a lease, twice, under two supervisors: the worker keeps its task, and finishes it', async () => {
  const nats = await ownNats();
  const { sql, another } = await queueUnderTest({ maxAttempts: 1 });
  const wires: Wire[] = [];
  const queues = [0, 1].map((at) => another({ heartbeatsArrive: () => answers(wires[at]!.connection) }));
  for (const [at, queue] of queues.entries()) {
    const place = at === 0 ? {} : { prefix: wires[0]!.prefix };
    wires.push(await startWire({ natsUrl: nats.url, queue, instance: `s${at}`, ...place }));
  }
  onTestFinished(async () => void (await Promise.all(wires.map((wire) => wire.stop()))));
  for (const queue of queues) queue.start();
  await queues[0]!.push('boefje', [boefjeTask('ooi', { priority: 2 })]);
  const [began, finish] = [Promise.withResolvers<AbortSignal>(), Promise.withResolvers<void>()];
  const worker = runWorker({
    client: wires[0]!.client,
    scheduler: 'boefje',
    concurrency: 1,
    leaseMs: 3_000,
    waitMs: 100,
    handle: (_task, signal) => (began.resolve(signal), finish.promise),
  });
  onTestFinished(() => worker.stop());
  const signal = await began.promise;
  const silent = () => sql`SELECT FROM supervisors WHERE heard_at < now() - interval '3 seconds'`;
  const expired = () => sql`SELECT FROM leases WHERE until < now() - interval '1 second'`;
  const renewed = () => sql`SELECT FROM leases WHERE until > now() + interval '1 second'`;
  for (let outage = 1; outage <= 2; outage += 1) {
    await expect.poll(renewed, { timeout: 10_000 }).toHaveLength(1);
    await nats.stop();
    await expect.poll(silent, { timeout: 10_000 }).toHaveLength(2);
    await expect.poll(expired, { timeout: 10_000 }).toHaveLength(1);
    await nats.start();
    await expect.poll(renewed, { timeout: 10_000 }).toHaveLength(1);
  }
  expect(signal.aborted).toBe(false);
  finish.resolve();
  await expect
    .poll(() => sql`SELECT status, attempts FROM tasks`, { timeout: 10_000 })
    .toEqual([{ status: 'COMPLETED', attempts: 1 }]);
}, 90_000);

test('a connection answers while the server does, and says so within a second where it does not', async () => {
  const nats = await ownNats();
  const proxy = await startProxy({ port: nats.port });
  onTestFinished(() => proxy.stop());
  const connection = await connectNats({ servers: nats.behind(proxy.port) });
  onTestFinished(() => connection.close());
  expect(await answers(connection)).toBe(true);
  proxy.down();
  expect(await answers(connection)).toBe(false);
  proxy.up();
  await expect.poll(() => answers(connection), { timeout: 10_000 }).toBe(true);
  await connection.close();
  expect(await answers(connection)).toBe(false);
});
