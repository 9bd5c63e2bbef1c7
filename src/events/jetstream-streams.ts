import { AckPolicy, type JetStreamManager, RetentionPolicy, StorageType } from 'nats';
import type { EventStream } from '../protocol/scheduler.ts';
import { eventStreams } from '../tasks/task.ts';

/**
 * Names of KAT's events in JetStream. The stream `<PREFIX>_KAT` has work-queue retention: as in RabbitMQ an event is gone
 * once it is acknowledged, so that the stream needs no limit of size or age. The price is one consumer per subject, which
 * several supervisors share anyway. Dead letters stay in `<PREFIX>_KAT_DEAD` until an operator removes them.
 */
export function subjectsOf(prefix: string) {
  const base = `${prefix}.kat`;
  return {
    stream: `${prefix.toUpperCase()}_KAT`,
    deadStream: `${prefix.toUpperCase()}_KAT_DEAD`,
    main: (stream: EventStream) => `${base}.${stream}`,
    alone: (stream: EventStream) => `${base}.alone.${stream}`,
    retry: (stream: EventStream) => `${base}.retry.${stream}`,
    dead: (stream: EventStream) => `${base}.dead.${stream}`,
  };
}

/** Creates the streams where they are absent; the settings of one that exists (replicas, limits) stay. */
export async function ensureStreams(manager: JetStreamManager, prefix: string): Promise<void> {
  const names = subjectsOf(prefix);
  await ensureStream(manager, names.stream, RetentionPolicy.Workqueue, [
    ...eventStreams.map(names.main),
    ...eventStreams.map(names.alone),
    ...eventStreams.map(names.retry),
  ]);
  await ensureStream(manager, names.deadStream, RetentionPolicy.Limits, eventStreams.map(names.dead));
}

async function ensureStream(
  manager: JetStreamManager,
  name: string,
  retention: RetentionPolicy,
  subjects: readonly string[],
): Promise<void> {
  const existing = await manager.streams.info(name).catch((error: unknown) => {
    if (isNotFound(error)) return null;
    throw error;
  });
  if (existing === null) {
    // JetStream takes a second creation with the same settings: two supervisors may start together.
    await manager.streams.add({ name, subjects: [...subjects], retention, storage: StorageType.File });
    return;
  }
  const missing = subjects.filter((subject) => !existing.config.subjects.includes(subject));
  if (missing.length === 0) return;
  await manager.streams.update(name, { ...existing.config, subjects: [...existing.config.subjects, ...missing] });
}

/** Creates a durable pull consumer of one subject, or updates it to these settings. */
export async function ensureConsumer(
  manager: JetStreamManager,
  stream: string,
  consumer: {
    readonly name: string;
    readonly subject: string;
    /** Events handed out and not settled, over all supervisors; -1 for any number. */
    readonly maxPending: number;
    readonly ackWaitMs: number;
  },
): Promise<void> {
  await manager.consumers.add(stream, {
    durable_name: consumer.name,
    filter_subject: consumer.subject,
    ack_policy: AckPolicy.Explicit,
    ack_wait: consumer.ackWaitMs * 1_000_000,
    max_ack_pending: consumer.maxPending,
    max_deliver: -1,
  });
}

export function isNotFound(error: unknown): boolean {
  const answer = (error as { api_error?: { code?: number } }).api_error;
  return answer?.code === 404;
}

/** What a user of NATS must be allowed to publish: supervisors, which consume KAT's events, and KAT's services, which send them. */
interface JetstreamPermissions {
  readonly supervisor: readonly string[];
  readonly publisher: readonly string[];
}

/** Every call of JetStream that src/events makes, and the subjects that it stores events on. */
export function jetstreamPermissions(prefix: string): JetstreamPermissions {
  const names = subjectsOf(prefix);
  const { stream, deadStream } = names;
  const received = eventStreams.map(names.main);
  return {
    publisher: received,
    supervisor: [
      ...received,
      ...[names.alone, names.retry, names.dead].flatMap((subject) => eventStreams.map(subject)),
      '$JS.API.INFO',
      ...[stream, deadStream].flatMap((name) =>
        ['INFO', 'CREATE', 'UPDATE'].map((call) => `$JS.API.STREAM.${call}.${name}`),
      ),
      `$JS.API.STREAM.MSG.GET.${deadStream}`,
      `$JS.API.STREAM.MSG.DELETE.${deadStream}`,
      `$JS.API.CONSUMER.INFO.${stream}.*`,
      `$JS.API.CONSUMER.CREATE.${stream}.*.>`,
      // The library's call to servers before 2.9.
      `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.*`,
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
      `$JS.ACK.${stream}.>`,
    ],
  };
}
