import { randomUUID } from 'node:crypto';
import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ThreadSettings } from '../../src/supervisor/thread-data.ts';
import { next } from '../../src/telemetry/events.ts';
import { backendOf, quietSettings, supervise } from '../support/actors.ts';
import { createVhost } from '../support/vhost.ts';

let vhost: Awaited<ReturnType<typeof createVhost>>;
let rabbit: Connection;
let settings: ThreadSettings;

beforeAll(async () => {
  vhost = await createVhost();
  rabbit = new Connection(vhost.url);
  settings = {
    ...quietSettings,
    events: {
      kind: 'amqp',
      amqpUrl: vhost.url,
      natsServers: null,
      natsAuth: {},
      prefix: 'rota',
      prefetch: 10,
      maxAttempts: 3,
    },
  };
});

afterAll(async () => {
  await rabbit.close();
  await vhost.drop();
});

async function publishRawFile(): Promise<string> {
  const id = randomUUID();
  const publisher = rabbit.createPublisher({ confirm: true, queues: [{ queue: 'raw_file_received', durable: true }] });
  await publisher.send('raw_file_received', Buffer.from(JSON.stringify(rawFileReceived(id))));
  await publisher.close();
  return id;
}

/** kat-contract §4. */
const rawFileReceived = (id: string) => ({
  event_id: 'raw_file_received',
  created_at: '2025-05-27T09:00:16.400000Z',
  organization: 'aa',
  raw_data: {
    id,
    boefje_meta: {
      id: randomUUID(),
      started_at: '2025-05-27T09:00:15.5Z',
      ended_at: '2025-05-27T09:00:16.3Z',
      boefje: { id: 'dns-records', version: null },
      input_ooi: 'Hostname|internet|mispo.es',
      arguments: {},
      organization: 'aa',
    },
    mime_types: [{ value: 'boefje/dns-records' }],
    secure_hash: null,
    hash_retrieval_link: null,
  },
});

test('an event whose actor dies over it is handled by the next thread', async () => {
  const asked: string[] = [];
  const id = await publishRawFile();
  const supervisor = await supervise('listener', {
    settings,
    backend: backendOf({
      'read-schedules': async (_, { ids }) => {
        asked.push(...ids);
        // Not retryable: a bug, to the actor's eyes, and uncaught there.
        if (asked.length === 1) throw Object.assign(new Error('a bug'), { code: 'BROKEN' });
        return [];
      },
    }),
  });
  const stopped = next('actor.stopped');
  supervisor.start();
  expect(await stopped).toMatchObject({ code: 'BROKEN', message: 'a bug' });
  await expect.poll(() => asked).toEqual([id, id]);
  await supervisor.drain(10_000);
});

test('a drain lets the current event be settled and acknowledged, and leaves the others in the queue', async () => {
  const asking = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<[]>();
  const first = await publishRawFile();
  const supervisor = await supervise('listener', {
    settings,
    backend: backendOf({
      'read-schedules': () => {
        asking.resolve();
        return answer.promise;
      },
    }),
  });
  supervisor.start();
  await asking.promise;
  const drained = supervisor.drain(20_000);
  answer.resolve([]);
  await drained;

  const second = await publishRawFile();
  const asked = vi.fn<(id: string) => void>();
  const successor = await supervise('listener', {
    settings,
    backend: backendOf({ 'read-schedules': async (_, { ids }) => (ids.forEach((id) => asked(id)), []) }),
  });
  successor.start();
  await expect.poll(() => asked.mock.calls).toEqual([[second]]);
  expect(second).not.toBe(first);
  await successor.drain(10_000);
});

test('what an event source emits in its thread is emitted in the main thread', async () => {
  const supervisor = await supervise('listener', { settings });
  const connected = next('source.connected');
  supervisor.start();
  expect(await connected).toMatchObject({ source: expect.any(String) });
  await expect
    .poll(() => supervisor.inspect('listener'))
    .toMatchObject({ result: { value: { streams: [{ stream: 'raw_file_received', connected: true }] } } });
});
