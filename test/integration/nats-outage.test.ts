import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Events } from 'nats';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { startNats } from '../../src/embedded/nats.ts';
import { type Embedded, freePort } from '../../src/embedded/process.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { MemoryQueue } from '../support/memory-queue.ts';
import { openNats } from '../support/services.ts';
import { startProxy } from '../support/proxy.ts';
import { boefjeTask, startWire, type Wire } from '../support/wire.ts';

/** A NATS server of this file's own: it is stopped and started again. */
let directory: string;
let port: number;
let server: Embedded;
let queue: MemoryQueue;
let wire: Wire;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rota-outage-'));
  port = await freePort();
  server = await startNats({ directory, port });
  queue = new MemoryQueue();
  wire = await startWire({ natsUrl: server.url, queue });
});
afterEach(async () => {
  await wire.stop();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

test('while NATS is away waiting pops end without a claim; once it is back the service answers again', async () => {
  const waiting = wire.client.pop('boefje', { wait_ms: 60_000 });
  await vi.waitFor(() => expect(wire.service.status().inFlight).toBe(1));
  await server.stop();
  await vi.waitFor(() => expect(queue.pops[0]?.signal?.aborted).toBe(true));
  expect(wire.service.status().connected).toBe(false);
  await queue.push('boefje', [boefjeTask('aa', 'example.com')]);
  server = await startNats({ directory, port });
  expect(await waiting).toEqual([]);
  expect(await wire.client.pop('boefje', { wait_ms: 10_000 })).toHaveLength(1);
  expect(wire.service.status().connected).toBe(true);
});

test('a supervisor waits for a NATS server that is not up yet; a command fails at once and names the address', async () => {
  const elsewhere = await freePort();
  const servers = `nats://ann:hunter2@127.0.0.1:${elsewhere}`;
  await expect(connectNats({ servers })).rejects.toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
    message: `no NATS server answers at nats://127.0.0.1:${elsewhere} (connect ECONNREFUSED 127.0.0.1:${elsewhere}): is it up, and NATS_URL its address?`,
  });
  const told = Promise.withResolvers<string>();
  const retry = { told: told.resolve };
  const patient = connectNats({ servers: `nats://127.0.0.1:${elsewhere}`, retry });
  expect(await told.promise).toContain(`no NATS server answers at nats://127.0.0.1:${elsewhere}`);
  const late = await startNats({ directory: join(directory, 'late'), port: elsewhere, config: openNats });
  const connection = await patient;
  await connection.close();
  await late.stop();
});

test('a drained service answers waiting pops with nothing, finishes what it began, and takes no more', async () => {
  const began = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const push = queue.push.bind(queue);
  queue.push = async (scheduler, tasks) => {
    began.resolve();
    await finish.promise;
    return push(scheduler, tasks);
  };
  const pushing = wire.client.push('boefje', boefjeTask('aa', 'example.com'));
  await began.promise;
  const waiting = wire.client.pop('report', { wait_ms: 60_000 });
  await vi.waitFor(() => expect(wire.service.status().inFlight).toBe(2));
  const drained = wire.service.drain(10_000);
  expect(await waiting).toEqual([]);
  await expect(wire.client.pop('boefje')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  finish.resolve();
  expect((await pushing).status).toBe('queued');
  await drained;
  expect(wire.service.status().inFlight).toBe(0);
});

test('one supervisor that drains leaves the requests to the other', async () => {
  const other = await startWire({ natsUrl: server.url, queue, prefix: wire.prefix, instance: 'two' });
  expect(await wire.client.instances()).toEqual(['one', 'two']);
  await wire.service.drain(1_000);
  for (let at = 0; at < 20; at += 1) await wire.client.pop('boefje');
  expect(await wire.client.instances()).toEqual(['two']);
  await other.stop();
});

test('a client whose connection is closed says so', async () => {
  await wire.client.close();
  await expect(wire.client.pop('boefje')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
});

test('a link that is dead without an end (no FIN, no RST) is given up within 16 s, and replaced', async () => {
  const proxy = await startProxy({ port });
  const servers = Object.assign(new URL(server.url), { port: String(proxy.port) }).href;
  const connection = await connectNats({ servers });
  onTestFinished(async () => {
    await connection.close();
    await proxy.stop();
  });
  const link = Promise.withResolvers<number>();
  const began = performance.now();
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type === Events.Reconnect) link.resolve(performance.now() - began);
    }
  })();
  proxy.silence();
  expect(await link.promise).toBeLessThan(17_000);
  await connection.flush();
});
