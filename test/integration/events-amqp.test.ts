import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { createEventSource } from '../../src/events/broker-choice.ts';
import { createRabbitmqBacklog } from '../../src/events/backlog.ts';
import { createRabbitmqDeadLetters } from '../../src/events/dead-letters.ts';
import { RabbitmqConnection } from '../../src/events/rabbitmq-driver.ts';
import { connectNats } from '../../src/nats/connect.ts';
import type { EventStream } from '../../src/protocol/scheduler.ts';
import { startProxy } from '../support/proxy.ts';
import { createVhost } from '../support/vhost.ts';
import { backlogIsTold } from './events-backlog.ts';
import { eventsAreHandled } from './events-handling.ts';
import { outagesAreOutlived } from './events-outages.ts';
import { type Broker, type DeadLetter, mutation } from './events-stage.ts';

let vhost: Awaited<ReturnType<typeof createVhost>>;
let rabbit: RabbitmqConnection;

beforeAll(async () => {
  vhost = await createVhost();
  rabbit = new RabbitmqConnection({ url: vhost.url, tls: {} }, {});
  await rabbit.onConnect();
});

afterAll(async () => {
  await rabbit.close();
  await vhost.drop();
});

const stream: EventStream = 'scan_profile_mutations';
const suffixes = ['', '.alone', '.dead', '.retry.0.02', '.retry.0.04', '.retry.0.005', '.retry.60'];

/** Ready messages; 0 where there is no such queue. */
async function ready(queue: string): Promise<number> {
  const channel = await rabbit.acquire();
  try {
    return (await channel.queueDeclare({ queue, passive: true })).messageCount;
  } catch {
    return 0;
  } finally {
    await channel.close();
  }
}

/** Resolves when RabbitMQ has the message. */
async function send(body: string, contentType?: string, queue: string = stream): Promise<void> {
  const publisher = rabbit.createPublisher({ confirm: true });
  const named = contentType === undefined ? {} : { contentType };
  await publisher.send({ routingKey: queue, ...named }, Buffer.from(body));
  await publisher.close();
}

/** Channels that are open in this file's virtual host. */
async function openChannels(): Promise<number> {
  const { command, env } = inject('amqpControl');
  const { stdout } = await promisify(execFile)(command, ['list_channels', '--quiet', 'vhost'], { env });
  return stdout.split('\n').filter((line) => line === new URL(vhost.url).pathname.slice(1)).length;
}

async function startBroker(): Promise<Broker> {
  const proxy = await startProxy({ port: Number(new URL(vhost.url).port) });
  const proxied = new URL(vhost.url);
  proxied.port = String(proxy.port);
  for (const suffix of suffixes) await rabbit.queueDelete(`${stream}${suffix}`);
  const publisher = rabbit.createPublisher({ confirm: true, queues: [{ queue: stream, durable: true }] });
  return {
    source: ({ maxAttempts, prefetch, timing, tell }) =>
      createEventSource(
        {
          kind: 'amqp',
          amqpUrl: proxied.href,
          natsServers: null,
          natsAuth: {},
          prefix: 'rota',
          prefetch,
          maxAttempts,
        },
        { connectNats, timing, tell, now: Date.now },
      ),
    publish: async (queue, body, headers = {}) => publisher.send({ routingKey: queue, headers }, Buffer.from(body)),
    dead: async (queue) => {
      const letters: DeadLetter[] = [];
      for (;;) {
        const message = await rabbit.basicGet({ queue: `${queue}.dead`, noAck: true }).catch(() => undefined);
        if (message === undefined) return letters;
        const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]);
        letters.push({ body: String(message.body), headers: Object.fromEntries(headers) });
      }
    },
    waiting: async (queue) => {
      const counts = await Promise.all(
        suffixes.filter((suffix) => suffix !== '.dead').map((s) => ready(`${queue}${s}`)),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    },
    backlog: async () => createRabbitmqBacklog({ url: proxied.href, tls: {} }),
    cut: () => proxy.cut(),
    down: () => proxy.down(),
    up: () => proxy.up(),
    stop: async () => {
      await publisher.close();
      await proxy.stop();
    },
  };
}

describe('events from RabbitMQ', () => {
  eventsAreHandled(startBroker);
  outagesAreOutlived(startBroker);
  backlogIsTold(startBroker);
});

describe('a queue that KAT made differently', () => {
  async function consumed(count: number, prepare: () => Promise<void>): Promise<void> {
    const broker = await startBroker();
    await prepare();
    const source = broker.source({ maxAttempts: 3, prefetch: 10, timing: { reconnectMs: [10, 50] }, tell: () => {} });
    await source.consume(stream, async () => ({ ok: true, value: null }));
    await vi.waitFor(() => expect(source.status()[0]!.connected).toBe(true), { timeout: 10_000 });
    await send(mutation('a'));
    await vi.waitFor(() => expect(source.status()[0]!.done).toBe(count), { timeout: 10_000 });
    await source.stop(1_000);
    await broker.stop();
  }

  test('as non-durable is declared again durable, as mula does', async () => {
    await consumed(1, async () => {
      await rabbit.queueDelete(stream);
      await rabbit.queueDeclare({ queue: stream, durable: false });
    });
    expect(await rabbit.queueDeclare({ queue: stream, durable: true })).toMatchObject({ queue: stream });
  });

  test('with arguments of an operator is used as it is, with what waits in it', async () => {
    await consumed(2, async () => {
      await rabbit.queueDelete(stream);
      await rabbit.queueDeclare({ queue: stream, durable: true, arguments: { 'x-max-length': 1_000 } });
      await send(mutation('b'), 'application/json');
    });
  });

  test('and deletes under way is declared again', async () => {
    const broker = await startBroker();
    const source = broker.source({ maxAttempts: 3, prefetch: 10, timing: { reconnectMs: [10, 50] }, tell: () => {} });
    await source.consume(stream, async () => ({ ok: true, value: null }));
    await rabbit.queueDelete(stream);
    await vi.waitFor(async () => {
      await send(mutation('a'));
      expect(source.status()[0]!.done).toBeGreaterThan(0);
    });
    await source.stop(1_000);
    await broker.stop();
  });
});

describe('a body whose content type says what it is', () => {
  const nested = '['.repeat(100_000) + '{"0":0}' + ']'.repeat(100_000);

  test.each([
    ['application/json', nested],
    ['application/json', '{ "primary_key" : 1.0 }'],
    ['application/json', 'no JSON'],
    ['text/plain', 'Gr\u00fc\u00dfe'],
  ])('%s is dead-lettered as it was sent, and others go on', async (contentType, body) => {
    const broker = await startBroker();
    const source = broker.source({ maxAttempts: 3, prefetch: 10, timing: { reconnectMs: [10, 50] }, tell: () => {} });
    await source.consume(stream, async () => ({ ok: true, value: null }));
    await send(body, contentType);
    await send(mutation('a'), contentType);
    await vi.waitFor(() => expect(source.status()[0]).toMatchObject({ done: 1, deadLettered: 1 }), { timeout: 10_000 });
    const letters = createRabbitmqDeadLetters({ url: vhost.url, tls: {} });
    const [letter] = await letters.list(10);
    await letters.close();
    expect(letter!.body === body).toBe(true);
    await source.stop(1_000);
    await broker.stop();
  });
});

test('the body of an event is parsed once, whatever its content type', async () => {
  const broker = await startBroker();
  const source = broker.source({ maxAttempts: 3, prefetch: 10, timing: { reconnectMs: [10, 50] }, tell: () => {} });
  await source.consume(stream, async () => ({ ok: true, value: null }));
  const [parse, print] = [vi.spyOn(JSON, 'parse'), vi.spyOn(JSON, 'stringify')];
  onTestFinished(() => void vi.restoreAllMocks());
  const body = mutation('a');
  print.mockClear();
  await send(body, 'application/json');
  await vi.waitFor(() => expect(source.status()[0]!.done).toBe(1), { timeout: 10_000 });
  expect(parse.mock.calls.filter(([text]) => text === body)).toHaveLength(1);
  expect(print.mock.results.filter(({ value }) => value === body)).toEqual([]);
  await source.stop(1_000);
  await broker.stop();
});

test('dead letters that are tried again leave no channel open', async () => {
  const broker = await startBroker();
  const dead = `${stream}.dead`;
  await rabbit.queueDeclare({ queue: dead, durable: true });
  const before = await openChannels();
  for (const name of ['a', 'b', 'c']) await send(mutation(name), undefined, dead);
  const letters = createRabbitmqDeadLetters({ url: vhost.url, tls: {} });
  for (const { id } of await letters.list(10)) expect(await letters.settle('requeue', { ids: [id] })).toEqual([id]);
  expect(await ready(stream)).toBe(3);
  await vi.waitFor(async () => expect(await openChannels()).toBe(before), { timeout: 30_000 });
  await letters.close();
  await broker.stop();
});
