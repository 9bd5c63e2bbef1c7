import type { ConsumerMessages, JsMsg, NatsConnection } from 'nats';
import { type Forwarding, streamFault } from './jetstream-message.ts';
import { ensureConsumer, ensureStreams, subjectsOf } from './jetstream-streams.ts';
import { backOff, pause, type Timing } from './timing.ts';

/** One durable pull consumer that outlives connections, and the deletion of its stream or of itself. */
export interface SubjectConsumer {
  /** Pulls until the signal is aborted. Never rejects. */
  run(): Promise<void>;
  /** Resolves when it consumes, or has failed to once. */
  readonly settled: Promise<void>;
  consuming(): boolean;
  /** Takes no new deliveries; those in hand can still be settled. */
  cancel(): void;
  /** Ends the reports on events in hand: JetStream delivers them again. */
  close(): void;
}

interface SubjectConsumerOptions {
  readonly connection: () => Promise<NatsConnection>;
  readonly prefix: string;
  readonly consumer: string;
  readonly subject: string;
  readonly maxPending: number;
  readonly timing: Timing;
  readonly signal: AbortSignal;
  readonly note: (message: string) => void;
  /** The stream exists. */
  readonly declared?: () => void;
  readonly receive: (message: JsMsg, forwarding: Forwarding) => Promise<void>;
}

/** Events of one pull where `maxPending` sets no bound. */
const batch = 100;

/** The life of a pull request, and the interval of the server's heartbeats on it: after two misses we ask again. */
const pullMs = 30_000;
const heartbeatMs = 2_000;

export function createSubjectConsumer(options: SubjectConsumerOptions): SubjectConsumer {
  const { prefix, consumer, subject, maxPending, timing, signal, note } = options;
  const settled = Promise.withResolvers<void>();
  const inHand = new Map<number, JsMsg>();
  let current: ConsumerMessages | null = null;

  const consume = async (): Promise<void> => {
    const connection = await options.connection();
    const manager = await connection.jetstreamManager();
    await ensureStreams(manager, prefix);
    options.declared?.();
    const { stream } = subjectsOf(prefix);
    const { ackWaitMs } = timing;
    await ensureConsumer(manager, stream, { name: consumer, subject, maxPending, ackWaitMs });
    const client = connection.jetstream();
    const pulled = await client.consumers.get(stream, consumer);
    const messages = await pulled.consume({
      max_messages: maxPending === -1 ? batch : maxPending,
      abort_on_missing_resource: true,
      expires: pullMs,
      idle_heartbeat: heartbeatMs,
    });
    current = messages;
    settled.resolve();
    if (signal.aborted) messages.stop();
    const maxPayload = () => connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    const forwarding = { client, maxPayload, manager: () => connection.jetstreamManager(), prefix };
    for await (const message of messages) void take(message, forwarding);
  };

  const take = async (message: JsMsg, forwarding: Forwarding): Promise<void> => {
    // Delivered again because our reports were late, while it is still in hand: the first delivery settles it.
    if (inHand.has(message.seq)) return;
    inHand.set(message.seq, message);
    try {
      await options.receive(message, forwarding);
    } catch (error) {
      note((error as Error).message);
    } finally {
      inHand.delete(message.seq);
    }
  };

  const reports = setInterval(() => {
    for (const message of inHand.values()) message.working();
  }, timing.ackWaitMs / 3);

  return {
    settled: settled.promise,
    run: async () => {
      for (let tries = 0; !signal.aborted; tries += 1) {
        try {
          await consume();
          tries = 0;
        } catch (error) {
          note(streamFault(subjectsOf(prefix).stream, error));
          settled.resolve();
        }
        current = null;
        await pause(backOff(timing.reconnectMs, tries), signal);
      }
    },
    consuming: () => current !== null,
    cancel: () => current?.stop(),
    close: () => clearInterval(reports),
  };
}
