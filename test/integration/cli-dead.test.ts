import { randomUUID } from 'node:crypto';
import { connect, type NatsConnection } from 'nats';
import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import type { Overview } from '../../src/control/overview.ts';
import { createJetstreamPublisher } from '../../src/events/jetstream-message.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { createVhost } from '../support/vhost.ts';

// Each command is a process of its own: a second or two on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

interface Letter {
  readonly id: string;
  readonly stream: string;
  readonly error: string;
  readonly body: unknown;
}

/** A way to send events to one of the two sources. */
interface Broker {
  readonly settings: Readonly<Record<string, string>>;
  send(prefix: string, body: string): Promise<void>;
  close(): Promise<void>;
}

const brokers: Readonly<Record<string, () => Promise<Broker>>> = {
  JetStream: async () => {
    const connection: NatsConnection = await connect({ servers: inject('natsUrl') });
    return {
      settings: { SCHEDULER_EVENTS: 'jetstream' },
      send: (prefix, body) => createJetstreamPublisher(connection, prefix).publish('raw_file_received', body),
      close: () => connection.close(),
    };
  },
  RabbitMQ: async () => {
    const vhost = await createVhost();
    const connection = new Connection(vhost.url);
    const publisher = connection.createPublisher({
      confirm: true,
      queues: [{ queue: 'raw_file_received', durable: true }],
    });
    return {
      settings: { QUEUE_URI: vhost.url },
      send: (_prefix, body) => publisher.send('raw_file_received', Buffer.from(body)),
      close: async () => {
        await publisher.close();
        await connection.close();
        await vhost.drop();
      },
    };
  },
};

describe.each(Object.keys(brokers))('events that were given up, on %s', (name) => {
  let broker: Broker;
  let hand: RotaAtHand;

  beforeAll(async () => {
    broker = await brokers[name]!();
    hand = await startRotaAtHand(broker.settings);
  });

  afterAll(async () => {
    await hand.stop();
    await broker.close();
  });

  const letters = async () => (await hand.json<{ results: Letter[] }>(['dead', 'list'])).results;

  test('are listed with their error, shown whole, tried again and dropped', async () => {
    const mark = randomUUID();
    await broker.send(hand.prefix, JSON.stringify({ mark, environment: { KEY: 'secret' } }));
    await broker.send(hand.prefix, 'no JSON');
    await expect.poll(async () => (await letters()).length, { timeout: 60_000 }).toBe(2);
    const found = await letters();
    const marked = found.find(({ body }) => typeof body === 'object')!;
    expect(marked).toMatchObject({ stream: 'raw_file_received', error: expect.stringContaining(':'), body: { mark } });
    expect(JSON.stringify(found)).not.toContain('secret');
    expect(await hand.json(['dead', 'show', marked.id])).toMatchObject({ id: marked.id, body: { mark } });

    expect(await hand.json(['dead', 'requeue', marked.id])).toEqual({ settled: [marked.id] });
    // It is as malformed as before, and comes back as another letter.
    await expect
      .poll(async () => (await letters()).filter(({ body }) => typeof body === 'object').map(({ id }) => id), {
        timeout: 60_000,
      })
      .not.toEqual([marked.id]);
    await expect.poll(async () => (await letters()).length, { timeout: 60_000 }).toBe(2);

    const { sources } = await hand.json<Overview>(['status']);
    expect(sources.map(({ source, dead, error }) => ({ source: source.split(':')[1], dead, error }))).toEqual([
      { source: 'scan_profile_mutations', dead: 0, error: null },
      { source: 'raw_file_received', dead: 2, error: null },
    ]);

    const dropped = await hand.json<{ settled: string[] }>(['dead', 'drop', '--stream', 'raw_file_received', '--yes']);
    expect(dropped.settled).toHaveLength(2);
    expect(await letters()).toEqual([]);
    const { code, stderr } = await hand.run(['dead', 'drop', marked.id]);
    expect(stderr).toContain(`there is no dead event ${marked.id}`);
    expect(code).toBe(66);
  });
});
