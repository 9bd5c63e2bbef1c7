import { headers, type JetStreamManager, type NatsConnection, type SeqMsgRequest, type StoredMsg } from 'nats';
import type { EventStream } from '../protocol/scheduler.ts';
import { type DeadLetter, type DeadLetters, eventStreams } from './dead-letters.ts';
import { attemptsHeader, deadAtHeader, errorHeader, traceHeader } from './headers.ts';
import { ensureStreams, subjectsOf } from './subjects.ts';

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
    async list(limit) {
      const manager = await manage();
      const letters: DeadLetter[] = [];
      for (const stream of eventStreams) {
        let count = 0;
        for await (const message of walk(manager, stream)) {
          if (count++ >= limit) break;
          letters.push(letterOf(stream, message));
        }
      }
      return letters;
    },

    async settle(action, { stream, ids }) {
      const manager = await manage();
      const client = connection.jetstream();
      const wanted = ids === undefined ? null : new Set(ids);
      // What is tried again may be given up before this ends, and come back behind it: that would go on for ever.
      const { last_seq: last } = (await manager.streams.info(names.deadStream)).state;
      const settled: string[] = [];
      for (const name of eventStreams.filter((it) => stream === undefined || it === stream)) {
        for await (const message of walk(manager, name)) {
          if (message.seq > last) break;
          const id = String(message.seq);
          if (wanted !== null && !wanted.has(id)) continue;
          if (action === 'requeue') {
            const trace = message.header.get(traceHeader);
            const kept = headers();
            if (trace !== '') kept.set(traceHeader, trace);
            // Twice within JetStream's window of two minutes would be taken for a copy otherwise.
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
    if ((error as { api_error?: { code?: number } }).api_error?.code === 404) return null;
    throw error;
  }
}

/** The server takes it since 2.9; the library sends what it is given, but does not declare it. */
function nextBySubject(from: number, subject: string): SeqMsgRequest {
  const request: SeqMsgRequest & { readonly next_by_subj: string } = { seq: from, next_by_subj: subject };
  return request;
}

function letterOf(stream: EventStream, message: StoredMsg): DeadLetter {
  const header = (name: string) => message.header.get(name) || null;
  return {
    id: String(message.seq),
    stream,
    at: header(deadAtHeader),
    error: header(errorHeader),
    attempts: Number(header(attemptsHeader) ?? 0),
    body: new TextDecoder().decode(message.data),
  };
}
