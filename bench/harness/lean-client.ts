import type { Msg, NatsConnection } from 'nats';

/**
 * Requests over one inbox of its own, answered by callbacks. `nc.request` costs a promise, a timer and a token per
 * request, and is the limit itself from 64 in flight on (39 k against 139 k a second).
 */
export interface LeanClient {
  /** One request at a time per slot. */
  request(slot: number, subject: string, body: Uint8Array, answered: (message: Msg) => void): void;
}

export function leanClient(connection: NatsConnection): LeanClient {
  const inbox = `_INBOX.lean${Math.random().toString(36).slice(2)}`;
  const waiting: ((message: Msg) => void)[] = [];
  connection.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      if (error !== null) throw error;
      waiting[Number(message.subject.slice(inbox.length + 1))]!(message);
    },
  });
  return {
    request: (slot, subject, body, answered) => {
      waiting[slot] = answered;
      connection.publish(subject, body, { reply: `${inbox}.${slot}` });
    },
  };
}

/** @throws where the service answered with an error, or no service listens. */
export function textOf(message: Msg): string {
  if (message.headers?.code === 503) throw new Error('no service listens on this subject');
  const code = message.headers?.get('Nats-Service-Error-Code');
  if (code) throw new Error(`${code} ${message.headers?.get('Nats-Service-Error')}`);
  return message.string();
}

/** Tasks of an answer, counted without parsing it: the load generator shares the machine. */
export function tasksIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"lease_id":'); at !== -1; at = text.indexOf('"lease_id":', at + 11)) count += 1;
  return count;
}

export function bodyOf(body: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(body));
}
