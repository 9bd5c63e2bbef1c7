import { createHash } from 'node:crypto';
import { headers, type JetStreamManager, type NatsConnection, type SeqMsgRequest, type StoredMsg } from 'nats';
import type { Channel, SyncMessage } from 'rabbitmq-client';
import { RotaError } from '../errors.ts';
import { traceHeader } from '../mailbox/trace.ts';
import type { DeadLetterView } from '../protocol/operator-status.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import { letterBodiesAtMost } from '../tasks/limits.ts';
import { eventStreams } from '../tasks/task.ts';
import { attemptsHeader, deadAtHeader, errorHeader } from './delivery.ts';
import { ensureStreams, isNotFound, subjectsOf } from './jetstream-streams.ts';
import { type Broker, RabbitmqConnection } from './rabbitmq-driver.ts';
import { createOutbox } from './rabbitmq-message.ts';
import { deadQueue, durable } from './rabbitmq-queues.ts';

/** An event that was given up. Its id is its number in JetStream, a digest of it in RabbitMQ. */
export interface DeadLetter extends Omit<DeadLetterView, 'body' | 'body_bytes'> {
  /** As it came, also where it is no JSON; null where a list had no room for it. */
  readonly body: string | null;
  readonly bodyBytes: number;
}

/** The dead-lettered events of both streams; one implementation per broker. Every call rejects while the broker cannot be reached. */
export interface DeadLetters {
  /** Oldest first, of each stream at most `limit`; with `id` only that one of them, which always has its body. */
  list(limit: number, id?: string): Promise<readonly DeadLetter[]>;
  /**
   * Tries events again from the beginning (`requeue`), or removes them for good: all of a stream, or those with the ids.
   * @returns the ids that were there
   */
  settle(
    action: 'requeue' | 'drop',
    which: { readonly stream?: EventStream; readonly ids?: readonly string[] },
  ): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Lets go of bodies as they are read: a thousand of 1 MB would be held at once. The first one's is kept: of it the beginning is shown. */
class LetterList {
  readonly found: DeadLetter[] = [];
  #room = letterBodiesAtMost;

  add(letter: DeadLetter, id: string | undefined): void {
    if (id !== undefined && letter.id !== id) return;
    const isHeld = this.found.length === 0 || letter.bodyBytes <= this.#room;
    this.found.push(isHeld ? letter : { ...letter, body: null });
    if (isHeld) this.#room -= letter.bodyBytes;
  }
}

/** Dead letters of the JetStream source: messages of `<PREFIX>_KAT_DEAD`, named by their number there. */
export function createJetstreamDeadLetters(connection: NatsConnection, prefix: string): DeadLetters {
  const names = subjectsOf(prefix);

  const manage = async (): Promise<JetStreamManager> => {
    const manager = await connection.jetstreamManager();
    await ensureStreams(manager, prefix);
    return manager;
  };

  /** Oldest first. */
  async function* walk(manager: JetStreamManager, stream: EventStream): AsyncGenerator<StoredMsg> {
    let next = 1;
    while (true) {
      const message = await nextOf(manager, names.deadStream, names.dead(stream), next);
      if (message === null) return;
      yield message;
      next = message.seq + 1;
    }
  }

  return {
    async list(limit, id) {
      const manager = await manage();
      const letters = new LetterList();
      for (const stream of eventStreams) {
        let count = 0;
        for await (const message of walk(manager, stream)) {
          if (count++ >= limit) break;
          letters.add(storedLetter(stream, message), id);
        }
      }
      return letters.found;
    },

    async settle(action, { stream, ids }) {
      const manager = await manage();
      const client = connection.jetstream();
      const wanted = ids === undefined ? null : new Set(ids);
      // An event may be given up again before this loop ends, and come back at the tail: the loop would never end.
      const { last_seq: last } = (await manager.streams.info(names.deadStream)).state;
      const settled: string[] = [];
      for (const name of streamsOf(stream)) {
        for await (const message of walk(manager, name)) {
          if (message.seq > last) break;
          const id = String(message.seq);
          if (wanted !== null && !wanted.has(id)) continue;
          if (action === 'requeue') {
            const trace = message.header.get(traceHeader);
            const kept = headers();
            if (trace !== '') kept.set(traceHeader, trace);
            // No other header: with its old message ID, JetStream would drop the event as a copy for two minutes.
            await client.publish(names.main(name), message.data, { headers: kept });
          }
          await manager.streams.deleteMessage(names.deadStream, message.seq);
          settled.push(id);
        }
      }
      return settled;
    },

    // The connection is the supervisor's.
    close: async () => {},
  };
}

async function nextOf(
  manager: JetStreamManager,
  stream: string,
  subject: string,
  from: number,
): Promise<StoredMsg | null> {
  try {
    return await manager.streams.getMessage(stream, nextBySubject(from, subject));
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** `next_by_subj` is taken by servers since 2.9; the library sends it, but does not declare it. */
function nextBySubject(from: number, subject: string): SeqMsgRequest {
  const request: SeqMsgRequest & { readonly next_by_subj: string } = { seq: from, next_by_subj: subject };
  return request;
}

function storedLetter(stream: EventStream, message: StoredMsg): DeadLetter {
  const header = (name: string) => message.header.get(name) || null;
  return {
    id: String(message.seq),
    stream,
    // One that left no room for headers has none of ours.
    at: header(deadAtHeader) ?? new Date(message.time).toISOString(),
    error: header(errorHeader) ?? 'it had no room for its error: the log has it, `event dead-lettered`',
    attempts: Number(header(attemptsHeader) ?? 0),
    body: new TextDecoder().decode(message.data),
    bodyBytes: message.data.byteLength,
  };
}

/**
 * Dead letters of the AMQP source: what is in `<queue>.dead`, named by a digest, since RabbitMQ gives no names.
 * Reading takes messages out without acknowledging them; closing the channel puts them back in their order.
 */
export function createRabbitmqDeadLetters(broker: Broker): DeadLetters {
  let opened: RabbitmqConnection | null = null;
  const connection = () =>
    (opened ??= new RabbitmqConnection(broker, { connectionName: 'rota dead letters', acquireTimeout: 5_000 }));

  const withChannel = async <T>(work: (channel: Channel) => Promise<T>): Promise<T> => {
    const using = connection();
    // The calls that wait on the connection report an outage.
    if (using.listenerCount('error') === 0) using.on('error', () => {});
    const channel = await using.acquire().catch((error: unknown) => {
      throw new RotaError('SERVICE_UNAVAILABLE', 'RabbitMQ cannot be reached: try again', { cause: error });
    });
    try {
      return await work(channel);
    } finally {
      await channel.close();
    }
  };

  async function* walk(channel: Channel, stream: EventStream, limit: number): AsyncGenerator<SyncMessage> {
    const queue = deadQueue(stream);
    const { messageCount } = await channel.queueDeclare(durable(queue));
    for (let count = 0; count < Math.min(limit, messageCount); count += 1) {
      const message = await channel.basicGet({ queue });
      if (message === undefined) return;
      yield message;
    }
  }

  return {
    list: (limit, id) =>
      withChannel(async (channel) => {
        const letters = new LetterList();
        for (const stream of eventStreams) {
          for await (const message of walk(channel, stream, limit)) letters.add(queuedLetter(stream, message), id);
        }
        return letters.found;
      }),

    settle: (action, { stream, ids }) =>
      withChannel(async (channel) => {
        const outbox = createOutbox(connection());
        const wanted = ids === undefined ? null : new Set(ids);
        const settled: string[] = [];
        try {
          for (const name of streamsOf(stream)) {
            for await (const message of walk(channel, name, mostHeld)) {
              const { id } = queuedLetter(name, message);
              if (wanted !== null && !wanted.has(id)) continue;
              if (action === 'requeue') {
                const trace: unknown = message.headers?.[traceHeader];
                const headers = typeof trace === 'string' ? { [traceHeader]: trace } : {};
                await outbox.send(durable(name), { headers }, message.body as Buffer);
              }
              channel.basicAck({ deliveryTag: message.deliveryTag });
              settled.push(id);
            }
          }
        } finally {
          await outbox.close();
        }
        return settled;
      }),

    close: async () => {
      opened?.unsafeDestroy();
    },
  };
}

/** Messages of a queue that a search by id may hold unacknowledged at a time. */
const mostHeld = 10_000;

function queuedLetter(stream: EventStream, message: SyncMessage): DeadLetter {
  const header = (name: string): unknown => message.headers?.[name];
  const at = header(deadAtHeader);
  const error = header(errorHeader);
  const body = (message.body as Buffer).toString();
  return {
    id: createHash('sha256')
      .update(`${stream} ${String(at)} ${body}`)
      .digest('hex')
      .slice(0, 16),
    stream,
    at: typeof at === 'string' ? at : null,
    error: typeof error === 'string' ? error : null,
    attempts: Number(header(attemptsHeader) ?? 0),
    body,
    bodyBytes: Buffer.byteLength(body),
  };
}

function streamsOf(stream: EventStream | undefined): readonly EventStream[] {
  return stream === undefined ? eventStreams : [stream];
}
