import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { startNats } from '../../src/embedded/nats.ts';
import type { Embedded } from '../../src/embedded/process.ts';
import { connectRota, type RotaClient } from '../../src/nats/client.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { createCtlCommands } from '../../src/nats/ctl.ts';
import { publishTaskEvents } from '../../src/nats/task-events.ts';
import { createWake } from '../../src/nats/wake.ts';
import { type NatsService, serveNats } from '../../src/nats/service.ts';
import { emit } from '../../src/telemetry/events.ts';
import { MemoryQueue } from '../support/memory-queue.ts';
import { quietLog } from '../support/quiet-log.ts';
import { boefjeTask } from '../support/wire.ts';

/** A server that runs docs/nats-permissions.conf as it stands; only its passwords are filled in. */
let directory: string;
let server: Embedded;
let service: NatsService;
let supervisor: NatsConnection;
let worker: RotaClient;
let operator: RotaClient;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rota-permissions-'));
  const example = await readFile(new URL('../../docs/nats-permissions.conf', import.meta.url), 'utf8');
  const config = join(directory, 'nats.conf');
  await writeFile(
    config,
    example.replaceAll(/\$ROTA_(\w+)_PASSWORD/g, (_all, user: string) => user.toLowerCase()),
  );
  server = await startNats({ directory, config });
  const as = (user: string) => ({
    servers: server.url,
    auth: { user, password: user, inboxPrefix: `_INBOX_${user}` },
    timeoutMs: 2_000,
  });
  supervisor = await connectNats(as('supervisor'));
  const ctl = createCtlCommands();
  ctl.register('status', z.unknown(), () => 'fine');
  const queue = new MemoryQueue();
  const schedulers = [{ id: 'boefje', type: 'boefje' }];
  const identity = { prefix: 'rota', instance: 'one', version: '0.1.0' };
  service = await serveNats({
    ...identity,
    connection: supervisor,
    queue,
    schedulers,
    leaseMs: 60_000,
    longestLeaseMs: 3_600_000,
    ctl,
    replyPrefixes: ['_INBOX'],
    clients: { pops: 2_000, filters: 100, requests: 4_000 },
    log: quietLog,
  });
  worker = await connectRota(as('worker'));
  operator = await connectRota(as('operator'));
});
afterAll(async () => {
  await service.drain(1_000);
  await Promise.all([worker.close(), operator.close(), supervisor.close()]);
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

test('a worker takes and reports tasks, but cannot push them, operate, or read what others are handed', async () => {
  await operator.push('boefje', boefjeTask('aa', 'example.com'));
  const [task] = await worker.pop('boefje', { wait_ms: 1_000 });
  await worker.heartbeat([{ id: task!.id, lease_id: task!.lease_id }]);
  await worker.patch({ id: task!.id, lease_id: task!.lease_id, status: 'completed' });
  expect((await worker.get(task!.id))?.status).toBe('completed');

  await expect(worker.push('boefje', boefjeTask('aa', 'other'))).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  await expect(worker.ctl('status')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  await expect(worker.ctl('status', {}, { instance: 'one' })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  for (const subject of ['_INBOX_operator.>', '_INBOX.>', 'rota.pop.>', 'rota.event.>', '>']) {
    const refused = Promise.withResolvers<unknown>();
    worker.connection.subscribe(subject, { callback: (error) => refused.resolve(error) });
    expect(await refused.promise).toMatchObject({ code: 'PERMISSIONS_VIOLATION' });
  }
});

test('a worker hears which tasks lost their permission after they were handed out, and of no other event', async () => {
  const heard = Promise.withResolvers<string>();
  worker.connection.subscribe('rota.event.*.revoked', {
    callback: (_error, message) => heard.resolve(message.subject),
  });
  await worker.connection.flush();
  const end = publishTaskEvents({ connection: supervisor, prefix: 'rota', now: Date.now });
  const tasks = [{ id: 'a', organisation: 'aa' }];
  emit({ name: 'tasks.revoked', scheduler: 'boefje', reason: 'scan-level-too-low', tasks });
  expect(await heard.promise).toBe('rota.event.boefje.revoked');
  end();
});

test('an operator runs commands, finds the supervisors and follows the task events', async () => {
  expect(await operator.ctl('status')).toBe('fine');
  expect(await operator.instances()).toEqual(['one']);
  const event = Promise.withResolvers<string>();
  operator.connection.subscribe('rota.event.>', { callback: (_error, message) => event.resolve(message.subject) });
  await operator.connection.flush();
  const end = publishTaskEvents({ connection: supervisor, prefix: 'rota', now: Date.now });
  emit({ name: 'tasks.queued', scheduler: 'boefje', tasks: [{ id: 'a', organisation: 'aa' }] });
  expect(await event.promise).toBe('rota.event.boefje.queued');
  end();
});

test('a supervisor may wake another, and use JetStream', async () => {
  const other = await connectNats({ servers: server.url, auth: { user: 'supervisor', password: 'supervisor' } });
  const woken = Promise.withResolvers<string>();
  createWake({ connection: other, prefix: 'rota', instance: 'two' }).subscribe((scheduler) => woken.resolve(scheduler));
  await other.flush();
  createWake({ connection: supervisor, prefix: 'rota', instance: 'one' }).publish('boefje', 1);
  expect(await woken.promise).toBe('boefje');
  expect((await (await supervisor.jetstreamManager()).getAccountInfo()).streams).toBe(0);
  await other.close();
});

test('a wrong password is refused at once, and does not show in the error', async () => {
  const url = server.url.replace('nats://', 'nats://worker:hunter2@');
  const refused = await connectNats({ servers: url }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'UNAUTHORIZED' });
  expect(String(refused)).not.toContain('hunter2');
});

test('user and password may stand in the URL', async () => {
  const connection = await connectNats({ servers: server.url.replace('nats://', 'nats://worker:worker@') });
  expect(connection.isClosed()).toBe(false);
  await connection.close();
});
