import { AckPolicy, type JetStreamManager, RetentionPolicy, StorageType } from 'nats';
import type { EventStream } from '../protocol/scheduler.ts';

/**
 * Names of KAT's events in JetStream. One stream `<PREFIX>_KAT` with work-queue retention: as in RabbitMQ an event is
 * gone once it is acknowledged, so that nothing needs a size or an age; its price is one consumer per subject, which is
 * what several supervisors share anyway. Dead letters stay in `<PREFIX>_KAT_DEAD` until somebody removes them.
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

const streams: readonly EventStream[] = ['scan_profile_mutations', 'raw_file_received'];

/** Creates the streams where they are absent; an operator's settings of one that exists (replicas, limits) stay. */
export async function ensureStreams(manager: JetStreamManager, prefix: string): Promise<void> {
  const names = subjectsOf(prefix);
  await ensureStream(manager, names.stream, RetentionPolicy.Workqueue, [
    ...streams.map(names.main),
    ...streams.map(names.alone),
    ...streams.map(names.retry),
  ]);
  await ensureStream(manager, names.deadStream, RetentionPolicy.Limits, streams.map(names.dead));
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
    // Adding what exists already with the same settings is fine: two supervisors may start together.
    await manager.streams.add({ name, subjects: [...subjects], retention, storage: StorageType.File });
    return;
  }
  const missing = subjects.filter((subject) => !existing.config.subjects.includes(subject));
  if (missing.length === 0) return;
  await manager.streams.update(name, { ...existing.config, subjects: [...existing.config.subjects, ...missing] });
}

/** A durable pull consumer of one subject, created or brought up to our settings. */
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
