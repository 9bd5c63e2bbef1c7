import { headers, type JetStreamClient, type JetStreamManager, type JsMsg } from 'nats';
import type { EventStream } from '../protocol/scheduler.ts';
import { attemptsHeader, deadAtHeader, errorHeader, notBeforeHeader, traceHeader } from './headers.ts';
import { type Destination, epitaph } from './intake.ts';
import { store } from './stored.ts';
import { subjectsOf } from './subjects.ts';

/** Reading and sending on events of JetStream. */

export function attemptsOf(message: JsMsg): number {
  return countOf(message, attemptsHeader);
}

export function traceOf(message: JsMsg): string {
  return message.headers?.get(traceHeader) ?? '';
}

/** Epoch milliseconds; 0 for at once. */
export function whenDue(message: JsMsg): number {
  return countOf(message, notBeforeHeader);
}

function countOf(message: JsMsg, header: string): number {
  const value = Number(message.headers?.get(header) || 0);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}

export interface Forwarding {
  readonly client: JetStreamClient;
  readonly manager: () => Promise<JetStreamManager>;
  readonly prefix: string;
}

/**
 * Stores the event where it goes next, and acknowledges it here once JetStream has confirmed that. `now`: epoch
 * milliseconds, of the clock that whoever takes it up will look at too.
 */
export async function forward(
  { client, manager, prefix }: Forwarding,
  stream: EventStream,
  message: JsMsg,
  to: Destination,
  now: number,
): Promise<void> {
  const names = subjectsOf(prefix);
  const sent = headers();
  for (const [name, values] of message.headers ?? []) {
    if (!ownHeaders.test(name)) for (const value of values) sent.append(name, value);
  }
  if (to.attempts > 0 || to.to === 'dead') sent.set(attemptsHeader, String(to.attempts));
  if (to.to === 'retry') sent.set(notBeforeHeader, String(now + to.delayMs));
  if (to.to === 'dead') {
    sent.set(errorHeader, epitaph(to.failure));
    sent.set(deadAtHeader, new Date(now).toISOString());
  }
  // An acknowledgement that gets lost brings the event back: JetStream then drops this second copy.
  const msgID = `${names.stream}:${message.seq}:${message.info.timestampNanos}:${to.to}`;
  const place = {
    stream: to.to === 'dead' ? names.deadStream : names.stream,
    subject: names[to.to](stream),
    prefix,
  };
  await store(client, manager, place, message.data, { headers: sent, msgID });
  message.ack();
}

/** Set anew at each step, and what JetStream would read as instructions to itself. */
const ownHeaders = /^(?:x-rota-(?:attempts|not-before)|Nats-.+)$/i;
