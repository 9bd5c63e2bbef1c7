import type { ConsumerInfo, JetStreamManager, NatsConnection, StreamInfo } from 'nats';
import { within } from '../deadline.ts';
import { codeOf } from '../errors.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import { eventStreams } from '../tasks/task.ts';
import { isNotFound, subjectsOf } from './jetstream-streams.ts';
import { type Broker, brokerFault, RabbitmqConnection } from './rabbitmq-driver.ts';
import { aloneQueue, deadQueue, retryQueue } from './rabbitmq-queues.ts';
import { sourceName } from './source.ts';
import { defaultTiming } from './timing.ts';

/** How far behind the event source is, on either broker. Looks only: declares and consumes nothing. */
export interface Backlog {
  /** Of both streams. Never rejects: `error` says of a broker that it does not answer within 2 s. */
  look(): Promise<readonly StreamBacklog[]>;
  close(): Promise<void>;
}

/** What waits in the broker for one stream, over all supervisors. */
export interface StreamBacklog {
  /** `rabbitmq:raw_file_received`. */
  readonly source: string;
  readonly stream: EventStream;
  /** No consumer has these in hand. Null, as the other figures, where the broker does not say: `error` says why. */
  readonly waiting: number | null;
  /** Failed before, or in hand when a thread died: they wait for another attempt. */
  readonly retrying: number | null;
  /** Given up. */
  readonly dead: number | null;
  readonly error: string | null;
  /** A sentence about a JetStream stream that takes no more events, or soon will not. */
  readonly full: string | null;
}

type Figures = Pick<StreamBacklog, 'waiting' | 'retrying' | 'dead' | 'full'>;

const lookWithinMs = 2_000;

/** What waits in JetStream for the source's consumers. `connection` stays open: it is the supervisor's. */
export function createJetstreamBacklog(connection: NatsConnection, prefix: string): Backlog {
  const names = subjectsOf(prefix);

  const figures = async (manager: Promise<JetStreamManager>, stream: EventStream): Promise<Figures> => {
    const { consumers, streams } = await manager;
    const infoOf = (consumer: string) => orNull(consumers.info(names.stream, consumer));
    const subject = names.dead(stream);
    const [main, alone, retry, dead, live] = await Promise.all([
      infoOf(stream),
      infoOf(`${stream}_alone`),
      infoOf(`${stream}_retry`),
      orNull(streams.info(names.deadStream, { subjects_filter: subject })),
      orNull(streams.info(names.stream)),
    ]);
    return {
      waiting: main?.num_pending ?? null,
      // An event that waits for its time in the retry lane counts as handed out.
      retrying: pendingOf(alone) + pendingOf(retry) + (retry?.num_ack_pending ?? 0),
      dead: dead?.state.subjects?.[subject] ?? 0,
      full: fullness(live) ?? fullness(dead),
    };
  };

  return {
    look: () => {
      // Without the check for JetStream: it is one more request, and the requests below fail too where there is none.
      const manager = connection.jetstreamManager({ timeout: lookWithinMs, checkAPI: false });
      return Promise.all(eventStreams.map((stream) => backlogOf('jetstream', stream, figures(manager, stream))));
    },
    close: async () => {},
  };
}

/**
 * Rota makes its streams without limits; an operator may set them. With JetStream's default, `discard: old`, a full stream
 * refuses nothing: it loses its oldest messages.
 */
function fullness(info: StreamInfo | null): string | null {
  if (info === null) return null;
  const { config, state } = info;
  const filled = [
    { what: 'messages', held: state.messages, most: config.max_msgs },
    { what: 'bytes', held: state.bytes, most: config.max_bytes },
  ].find(({ held, most }) => most > 0 && held >= most * nearlyFull);
  if (filled === undefined) return null;
  return `stream ${config.name} holds ${filled.held} of at most ${filled.most} ${filled.what}`;
}

const nearlyFull = 0.9;

function pendingOf(consumer: ConsumerInfo | null): number {
  return consumer?.num_pending ?? 0;
}

/** Null for a stream or consumer that does not exist (yet): nothing has consumed. */
async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** The ready messages of RabbitMQ's queues, as it answers a passive declaration. */
export function createRabbitmqBacklog(broker: Broker): Backlog {
  let opened: RabbitmqConnection | null = null;
  /** Why there is no connection; the calls that wait on it report this. */
  let outage: string | null = null;
  const connect = (): RabbitmqConnection => {
    const connection = new RabbitmqConnection(broker, { connectionName: 'rota backlog', acquireTimeout: lookWithinMs });
    connection.on('error', (error: Error) => (outage = brokerFault(broker.url, error)));
    connection.on('connection', () => (outage = null));
    return connection;
  };

  /** Null where there is no such queue. A channel of its own: the refusal closes it. */
  const readyIn = async (queue: string): Promise<number | null> => {
    opened ??= connect();
    if (outage !== null) throw new Error(outage);
    const channel = await opened.acquire().catch((error: Error) => {
      throw new Error(outage ?? error.message);
    });
    try {
      return (await channel.queueDeclare({ queue, passive: true })).messageCount;
    } catch (error) {
      if ((error as { code?: string }).code === 'NOT_FOUND') return null;
      throw error;
    } finally {
      await channel.close();
    }
  };
  const sumOf = async (queues: readonly string[]): Promise<number> =>
    (await Promise.all(queues.map(readyIn))).reduce<number>((sum, ready) => sum + (ready ?? 0), 0);

  const figures = async (stream: EventStream): Promise<Figures> => {
    const retries = defaultTiming.retryMs.map((delayMs) => retryQueue(stream, delayMs).queue);
    const [waiting, retrying, dead] = await Promise.all([
      readyIn(stream),
      sumOf([aloneQueue(stream), ...retries]),
      sumOf([deadQueue(stream)]),
    ]);
    return { waiting, retrying, dead, full: null };
  };

  return {
    look: () => Promise.all(eventStreams.map((stream) => backlogOf('rabbitmq', stream, figures(stream)))),
    close: async () => opened?.unsafeDestroy(),
  };
}

const brokerNames = { rabbitmq: 'RabbitMQ', jetstream: 'JetStream' } as const;

/** Figures of one stream, or why there are none. */
async function backlogOf(
  broker: keyof typeof brokerNames,
  stream: EventStream,
  figures: Promise<Figures>,
): Promise<StreamBacklog> {
  const about = { source: sourceName(broker, stream), stream };
  try {
    return { ...about, ...(await within(figures, lookWithinMs, 'ASK_TIMEOUT')), error: null };
  } catch (error) {
    const late = codeOf(error) === 'ASK_TIMEOUT';
    const reason = late ? `does not answer within ${lookWithinMs} ms` : (error as Error).message;
    const none = { waiting: null, retrying: null, dead: null, full: null };
    return { ...about, ...none, error: `${brokerNames[broker]}: ${reason}` };
  }
}
