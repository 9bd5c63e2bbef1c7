import type { ConsumerInfo, JetStreamManager, NatsConnection, StreamInfo } from 'nats';
import type { EventStream } from '../protocol/scheduler.ts';
import { type Backlog, figuresOf, lookWithinMs } from './backlog.ts';
import { eventStreams } from './dead-letters.ts';
import { sourceName } from './link.ts';
import { isNotFound, subjectsOf } from './subjects.ts';

/** What stands in JetStream for the source's consumers. `connection` stays open: it is the supervisor's. */
export function createJetstreamBacklog(connection: NatsConnection, prefix: string): Backlog {
  const names = subjectsOf(prefix);

  const figures = async (manager: Promise<JetStreamManager>, stream: EventStream) => {
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
      // What waits for its time in the retry lane counts as handed out.
      retrying: pendingOf(alone) + pendingOf(retry) + (retry?.num_ack_pending ?? 0),
      dead: dead?.state.subjects?.[subject] ?? 0,
      full: fullness(live) ?? fullness(dead),
    };
  };

  return {
    look: () => {
      // Without asking whether JetStream is there: that is one more request, and told by the others.
      const manager = connection.jetstreamManager({ timeout: lookWithinMs, checkAPI: false });
      return Promise.all(
        eventStreams.map((stream) =>
          figuresOf({ source: sourceName('jetstream', stream), stream }, 'JetStream', figures(manager, stream)),
        ),
      );
    },
    close: async () => {},
  };
}

/** An operator may give a stream limits; Rota makes it without. Of JetStream's own `discard: old` nothing is refused, but lost. */
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

/** A stream or consumer that is not there (yet): nobody has consumed. */
async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}
