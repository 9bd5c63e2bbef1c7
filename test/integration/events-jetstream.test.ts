import { randomUUID } from 'node:crypto';
import { connect as connectSocket } from 'node:net';
import { connect, DiscardPolicy, headers as natsHeaders, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { createEventSource } from '../../src/events/broker-choice.ts';
import { createJetstreamBacklog } from '../../src/events/backlog.ts';
import { createJetstreamPublisher } from '../../src/events/jetstream-message.ts';
import { subjectsOf } from '../../src/events/jetstream-streams.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { on, type RotaEvent } from '../../src/telemetry/events.ts';
import { startProxy } from '../support/proxy.ts';
import { backlogIsTold } from './events-backlog.ts';
import { eventsAreHandled } from './events-handling.ts';
import { outagesAreOutlived } from './events-outages.ts';
import { type Broker, type DeadLetter, done, failed, mutation, outage, timing, until } from './events-stage.ts';

let nats: NatsConnection;

beforeAll(async () => {
  nats = await connect({ servers: inject('natsUrl') });
});

afterAll(async () => {
  await nats.close();
});

async function startBroker(): Promise<Broker & { readonly prefix: string }> {
  const proxy = await startProxy({ port: Number(new URL(inject('natsUrl')).port) });
  const prefix = `t${randomUUID().slice(0, 8)}`;
  const names = subjectsOf(prefix);
  const publisher = createJetstreamPublisher(nats, prefix);
  const manager = await nats.jetstreamManager();
  return {
    prefix,
    source: ({ maxAttempts, prefetch, timing, tell }) =>
      createEventSource(
        {
          kind: 'jetstream',
          amqpUrl: null,
          natsServers: `nats://127.0.0.1:${proxy.port}`,
          natsAuth: {},
          prefix,
          prefetch,
          maxAttempts,
        },
        { connectNats, timing, tell, now: Date.now },
      ),
    publish: async (stream, body, headers) => {
      if (headers === undefined) return publisher.publish(stream, body);
      const sent = natsHeaders();
      for (const [name, value] of Object.entries(headers)) sent.set(name, value);
      await nats.jetstream().publish(names.main(stream), body, { headers: sent });
    },
    dead: async (stream) => {
      const letters: DeadLetter[] = [];
      const { state } = await manager.streams.info(names.deadStream);
      for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq += 1) {
        const message = await manager.streams.getMessage(names.deadStream, { seq });
        if (message.subject !== names.dead(stream)) continue;
        const headers = [...message.header].map(([name, values]) => [name, values[0]!]);
        letters.push({ body: message.string(), headers: Object.fromEntries(headers) });
      }
      return letters;
    },
    waiting: async () => (await manager.streams.info(names.stream)).state.messages,
    backlog: async () => {
      const own = await connectNats({ servers: `nats://127.0.0.1:${proxy.port}`, name: 'backlog' });
      return { ...createJetstreamBacklog(own, prefix), close: () => own.close() };
    },
    cut: () => proxy.cut(),
    down: () => proxy.down(),
    up: () => proxy.up(),
    stop: async () => {
      await proxy.stop();
      await manager.streams.delete(names.stream).catch(() => {});
      await manager.streams.delete(names.deadStream).catch(() => {});
    },
  };
}

describe('events from JetStream', () => {
  eventsAreHandled(startBroker);
  outagesAreOutlived(startBroker);
  backlogIsTold(startBroker);
});

test('a stream that is deleted under way is created again', async () => {
  const broker = await startBroker();
  const source = broker.source({ maxAttempts: 3, prefetch: 10, timing: { reconnectMs: [10, 50] }, tell: () => {} });
  await source.consume('raw_file_received', async () => ({ ok: true, value: null }));
  await source.consume('scan_profile_mutations', async () => ({ ok: true, value: null }));
  const manager = await nats.jetstreamManager();
  await manager.streams.delete(subjectsOf(broker.prefix).stream);
  await vi.waitFor(
    async () => {
      await nats.jetstream().publish(subjectsOf(broker.prefix).main('scan_profile_mutations'), mutation('a'));
      expect(source.status()[1]!.done).toBeGreaterThan(0);
    },
    { timeout: 20_000 },
  );
  await source.stop(1_000);
  await broker.stop();
});

describe('the stream of dead letters', () => {
  const unreadable = 'no json';
  const started = async (timing: object) => {
    const broker = await startBroker();
    const manager = await nats.jetstreamManager();
    const failed: string[] = [];
    const answered: string[] = [];
    for (const end of [
      on('part.failed', ({ part, reason }) => failed.push(`${part}: ${reason}`)),
      on('part.answered', ({ part }) => answered.push(part)),
    ])
      onTestFinished(end);
    const source = broker.source({ maxAttempts: 3, prefetch: 10, timing, tell: () => {} });
    await source.consume('scan_profile_mutations', async () => done);
    onTestFinished(async () => {
      await source.stop(1_000);
      await broker.stop();
    });
    const name = subjectsOf(broker.prefix).deadStream;
    return { broker, manager, source, failed, answered, name };
  };

  test('that is full is reported by name, by doctor too; the event stays in flight and is given up when there is room', async () => {
    const { broker, manager, source, failed, answered, name } = await started({ reconnectMs: [10, 50] });
    const { config } = await manager.streams.info(name);
    await manager.streams.update(name, { ...config, max_msgs: 1, discard: DiscardPolicy.New });
    await broker.publish('scan_profile_mutations', unreadable);
    await until(() => expect(source.status()[0]).toMatchObject({ deadLettered: 1 }));
    await broker.publish('scan_profile_mutations', unreadable);
    const sentence = `JetStream stream ${name} is full (maximum messages exceeded): raise its limits, or remove what it holds`;
    await until(() => expect(failed).toContain(`stream ${name}: ${sentence}`));
    expect(source.status()[0]).toMatchObject({ deadLettered: 1, inHand: 1, lastError: sentence });
    const backlog = await broker.backlog();
    const [looked] = (await backlog.look()).filter(({ stream }) => stream === 'scan_profile_mutations');
    expect(looked).toMatchObject({ full: `stream ${name} holds 1 of at most 1 messages` });
    await backlog.close();
    await manager.streams.update(name, { ...config, max_msgs: 10, discard: DiscardPolicy.New });
    await until(() => expect(source.status()[0]).toMatchObject({ deadLettered: 2, inHand: 0 }));
    expect(answered).toContain(`stream ${name}`);
  });

  test('that is gone is reported by name, and made again', async () => {
    const { broker, manager, source, failed, name } = await started({ reconnectMs: [10, 50] });
    await manager.streams.delete(name);
    // Not by our publisher, which makes the streams.
    await broker.publish('scan_profile_mutations', unreadable, {});
    await until(() => expect(source.status()[0]).toMatchObject({ deadLettered: 1, inHand: 0 }));
    expect(failed[0]).toContain(`stream ${name} is gone`);
    expect(await broker.dead('scan_profile_mutations')).toHaveLength(1);
  });
});

test('an event that is held longer than JetStream waits for reports stays with its holder', async () => {
  const broker = await startBroker();
  const timing = { holdMs: [20, 20], ackWaitMs: 300 } as const;
  const options = { maxAttempts: 3, prefetch: 10, timing, tell: () => {} };
  const [holder, other] = [broker.source(options), broker.source(options)];
  let calls = 0;
  await holder.consume('scan_profile_mutations', async () => {
    calls += 1;
    return calls < 80 ? outage : done;
  });
  await broker.publish('scan_profile_mutations', mutation('a'));
  await until(() => expect(calls).toBeGreaterThan(0));
  await other.consume('scan_profile_mutations', async () => done);
  await until(() => expect(holder.status()[0]).toMatchObject({ done: 1, inHand: 0 }));
  expect(other.status()[0]).toMatchObject({ done: 0, inHand: 0 });
  await Promise.all([holder.stop(1_000), other.stop(1_000)]);
  await broker.stop();
});

test('an event that leaves NATS no room for headers is dead-lettered as it came, malformed or failed', async () => {
  const broker = await startBroker();
  const told: RotaEvent[] = [];
  const source = broker.source({ maxAttempts: 3, prefetch: 10, timing, tell: (event) => told.push(event) });
  let calls = 0;
  await source.consume('scan_profile_mutations', async () => {
    calls += 1;
    return failed;
  });
  const most = nats.info!.max_payload;
  // One without headers of its own, and one whose count of attempts alone would need the room.
  const band = most - 2_048 - 60;
  // JetStream takes a message without an ID and without headers up to the last byte.
  const padded = (body: string) => body.padEnd(most, ' ');
  await nats.jetstream().publish(subjectsOf(broker.prefix).main('scan_profile_mutations'), padded('no json'));
  await nats.jetstream().publish(subjectsOf(broker.prefix).main('scan_profile_mutations'), padded(mutation('a')));
  await until(() => expect(source.status()[0]).toMatchObject({ deadLettered: 2, retried: 0, inHand: 0 }));
  expect(calls).toBe(1);
  await nats
    .jetstream()
    .publish(subjectsOf(broker.prefix).main('scan_profile_mutations'), mutation('b').padEnd(band, ' '));
  await until(() => expect(source.status()[0]).toMatchObject({ deadLettered: 3, retried: 2, inHand: 0 }));
  expect(calls).toBe(4);
  expect((await broker.dead('scan_profile_mutations')).map(({ body }) => body.trim()).toSorted()).toEqual(
    ['no json', mutation('a'), mutation('b')].toSorted(),
  );
  await until(async () => expect(await broker.waiting('scan_profile_mutations')).toBe(0));
  expect(told.filter(({ name }) => name === 'event.dead-lettered')).toHaveLength(3);
  await source.stop(1_000);
  await broker.stop();
});

test('an event with headers that no library writes is handled, and dead-lettered as it came where it fails', async () => {
  const broker = await startBroker();
  const source = broker.source({ maxAttempts: 3, prefetch: 2, timing, tell: () => {} });
  await source.consume('scan_profile_mutations', async () => done);
  const { hostname, port } = new URL(inject('natsUrl'));
  const socket = connectSocket(Number(port), hostname);
  const header = 'NATS/1.0\r\nno name: x\r\n\r\n';
  const publish = (body: string) =>
    `HPUB ${subjectsOf(broker.prefix).main('scan_profile_mutations')} ${header.length} ${header.length + body.length}\r\n${header}${body}\r\n`;
  socket.write(
    `CONNECT {"verbose":false,"headers":true}\r\n${['no json', 'no json', mutation('a')].map(publish).join('')}`,
  );
  // As many as may be in hand, and one more.
  await until(() => expect(source.status()[0]).toMatchObject({ deadLettered: 2, done: 1, inHand: 0 }));
  await until(async () => expect(await broker.waiting('scan_profile_mutations')).toBe(0));
  socket.destroy();
  await source.stop(1_000);
  await broker.stop();
});
