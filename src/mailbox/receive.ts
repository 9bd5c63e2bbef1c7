import type { MessagePort } from 'node:worker_threads';
import type { FromActor, ToActor } from './message.ts';
import { type Failure, type Result, failureOf, mailboxFailure, succeeded } from './failure.ts';
import type { Letter } from './lane.ts';
import type { Mailbox } from './mailbox.ts';

/** What drain and stop do; `receive` answers pings itself. */
interface Signals {
  /** Stops what feeds the mailbox and empties it; resolves with how many messages were left. */
  drain(withinMs: number): Promise<number>;
  stop(): void;
}

/**
 * Serves a mailbox to one sender at the other end of `port`. Signals are answered here, between the handlers' awaits:
 * only a loop that spins leaves them unanswered. Ends with the port.
 */
export function receive(port: MessagePort, mailbox: Mailbox, signals: Signals): void {
  const send = (envelope: FromActor) => port.postMessage(envelope);
  const handlers: { [K in ToActor['kind']]: (envelope: Extract<ToActor, { kind: K }>) => void } = {
    tell: (envelope) => mailbox.post(letterOf(envelope, send)),
    ask: (envelope) => mailbox.post(letterOf(envelope, send)),
    ping: ({ id }) => send({ kind: 'replied', id, result: succeeded }),
    drain: ({ id, withinMs }) =>
      void signals.drain(withinMs).then(
        (left) => send({ kind: 'replied', id, result: { ok: true, value: left } }),
        (error: unknown) => send({ kind: 'replied', id, result: { ok: false, failure: failureOf(error) } }),
      ),
    stop: () => signals.stop(),
  };
  port.on('message', (envelope: ToActor) => handlers[envelope.kind](envelope as never));
}

type Send = (envelope: FromActor) => void;
type Post = Extract<ToActor, { kind: 'tell' | 'ask' }>;

function letterOf(envelope: Post, send: Send): Letter {
  const { kind, id, message, trace } = envelope;
  let accepted = false;
  return {
    message,
    trace,
    alone: false,
    accepted: () => {
      accepted = true;
      send({ kind: 'accepted', id, lane: message.kind });
    },
    settled: (result) => {
      if (!accepted && !result.ok) send({ kind: 'refused', id, lane: message.kind, failure: result.failure });
      else if (kind === 'ask') reply(envelope, result, send);
    },
  };
}

function reply(envelope: Post, result: Result<unknown>, send: Send): void {
  try {
    send({ kind: 'replied', id: envelope.id, result });
  } catch (error) {
    send({ kind: 'replied', id: envelope.id, result: { ok: false, failure: notPlainData(error, envelope) } });
  }
}

function notPlainData(error: unknown, envelope: Post): Failure {
  return mailboxFailure(
    'BROKEN',
    `the reply to '${envelope.message.kind}' is not plain data: ${failureOf(error).message}`,
  );
}
