import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import { headers } from 'nats';
import { Connection } from 'rabbitmq-client';
import { eventSchemas } from '../../src/events/parse.ts';
import { subjectsOf } from '../../src/events/jetstream-streams.ts';
import { connectNats } from '../../src/nats/connect.ts';
import type { EventStream } from '../../src/protocol/scheduler.ts';
import { arbitraryOf, type World } from './arbitrary.ts';
import { type Edge, shortened } from './edge.ts';
import { hostileBytes, hostileString, jsonBytes } from './hostile.ts';
import type { Broker, Stage } from './stage.ts';

interface EventInput {
  readonly stream: EventStream;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** A broker as KAT's producers see it. */
interface Producer {
  publish(input: EventInput): Promise<void>;
  /** Events that are neither done nor dead-lettered. */
  waiting(): Promise<number>;
  close(): Promise<void>;
}

/** Three tries, of which the last begins after a minute at most, and a call of a service each. */
const settledWithinMs = 120_000;

/** Events by the schemas that read them. Each is done or dead-lettered in the end: that is their answer. */
export async function eventsEdge(name: Broker, stage: Stage): Promise<Edge<EventInput>> {
  const producer = name === 'amqp' ? amqpProducer(stage) : await jetstreamProducer(stage);
  return {
    name,
    inputs: inputsOf(stage.world),
    async send(input) {
      const began = performance.now();
      await producer.publish(input);
      return { outcome: 'unawaited', ms: performance.now() - began };
    },
    show: ({ stream, body, headers: given }) =>
      `${stream} ${shortened(Buffer.from(body).toString('latin1'))} ${shortened(JSON.stringify(given), 80)}`,
    async atEnd() {
      const deadline = performance.now() + settledWithinMs;
      for (;;) {
        const waiting = await producer.waiting();
        if (waiting === 0) return [];
        if (performance.now() > deadline) return [`${waiting} events neither done nor dead-lettered`];
        await delay(1_000);
      }
    },
    close: () => producer.close(),
  };
}

function inputsOf(world: World): fc.Arbitrary<EventInput> {
  const streams = Object.entries(eventSchemas).map(([stream, schema]) => {
    const fitting = arbitraryOf(schema, world).map(jsonBytes);
    return fc.record({
      stream: fc.constant(stream as EventStream),
      body: fc.oneof({ weight: 12, arbitrary: fitting }, { weight: 1, arbitrary: hostileBytes }),
      headers: headersOf,
    });
  });
  return fc.oneof(...streams);
}

/** Those that Rota itself reads, forged. */
const headersOf = fc.dictionary(
  fc.constantFrom('traceparent', 'x-rota-attempts', 'x-rota-error', 'x-rota-not-before', 'x-death'),
  fc
    .oneof(fc.constantFrom('1', '-1', '99999999999', 'NaN'), hostileString)
    .map((text) => text.slice(0, 1_000).replaceAll(/[^\x20-\x7E]/g, '?')),
  { maxKeys: 1 },
);

function amqpProducer(stage: Stage): Producer {
  const connection = new Connection(stage.amqpUrl);
  const publisher = connection.createPublisher({ confirm: true });
  const { command, env } = stage.rabbitmqControl;
  return {
    publish: ({ stream, body, headers: given }) =>
      publisher.send({ routingKey: stream, durable: true, headers: given }, Buffer.from(body)),
    async waiting() {
      const { stdout } = await promisify(execFile)(command, ['list_queues', '--silent', 'name', 'messages'], { env });
      const rows = stdout
        .trim()
        .split('\n')
        .map((line) => line.split('\t'));
      return rows
        .filter(([name]) => !name?.endsWith('.dead'))
        .reduce((sum, [, count]) => sum + (Number(count) || 0), 0);
    },
    async close() {
      await publisher.close();
      await connection.close();
    },
  };
}

async function jetstreamProducer(stage: Stage): Promise<Producer> {
  const connection = await connectNats({ servers: stage.natsUrl, name: 'fuzz-events' });
  const names = subjectsOf(stage.prefix);
  // The library's own 5 s are a busy machine's.
  const timeout = 30_000;
  const jetstream = connection.jetstream({ timeout });
  const manager = await connection.jetstreamManager({ timeout });
  return {
    async publish({ stream, body, headers: given }) {
      const made = headers();
      for (const [key, value] of Object.entries(given)) made.set(key, value);
      // The client itself refuses what no server takes.
      await jetstream.publish(names.main(stream), body, { headers: made, timeout }).catch(unlessTooLarge);
    },
    waiting: async () => (await manager.streams.info(names.stream)).state.messages,
    close: () => connection.close(),
  };
}

function unlessTooLarge(error: unknown): void {
  if ((error as { code?: unknown }).code !== 'MAX_PAYLOAD_EXCEEDED') throw error;
}
