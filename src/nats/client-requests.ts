import { headers, type Msg, type MsgHdrs, NatsError } from 'nats';
import { type ErrorCode, errorCodes, RotaError } from '../errors.ts';
import { currentTrace, traceHeader } from '../mailbox/trace.ts';

/** The requests of a client: their headers, their repetition, sets in parts, and what a failure means. */

/** Header with the operator's name, for the audit log. */
export const operatorHeader = 'Rota-By';
/** `read` where the client asks for a person who may only look: it gives away what its NATS user may do beyond that. */
export const accessHeader = 'Rota-Access';

/**
 * When requests that may be repeated (docs/workers.md) are sent again, beside the first: a server may send requests over a dead
 * link for 15 s, while another supervisor answers at once. Not more often: that would load a slow database.
 */
const repeatAfterMs = [2_000, 5_000] as const;

/** Resolves with the first answer to any of them. An error other than silence rejects at once. */
export function repeating(send: (timeout: number) => Promise<Msg>, timeout: number): Promise<Msg> {
  const { promise, resolve, reject } = Promise.withResolvers<Msg>();
  const again = (turn: number, waited: number) => {
    const after = repeatAfterMs[turn];
    if (after === undefined || after >= timeout) return undefined;
    return setTimeout(() => {
      timer = again(turn + 1, after);
      send(timeout - after).then(resolve, () => {});
    }, after - waited);
  };
  let timer = again(0, 0);
  send(timeout).then(resolve, reject);
  return promise.finally(() => clearTimeout(timer));
}

/** None where there is nothing to send: the server would parse them. */
export function sentHeaders(by: string | undefined, access: 'read' | undefined): { headers?: MsgHdrs } {
  const trace = currentTrace();
  if (by === undefined && access === undefined && trace === '') return {};
  const sent = headers();
  if (access !== undefined) sent.set(accessHeader, access);
  if (by !== undefined) sent.set(operatorHeader, by);
  if (trace !== '') sent.set(traceHeader, trace);
  return { headers: sent };
}

/** Each request of a set has at most this many items and characters, so that its answer fits into one message, too. */
const chunk = { items: 500, characters: 262_144 };

/** The items of a set, in as many requests as they need. */
export function* chunksOf(items: readonly unknown[]): Generator<unknown[]> {
  let part: unknown[] = [];
  let characters = 0;
  for (const item of items) {
    const size = JSON.stringify(item).length;
    if (part.length > 0 && (part.length >= chunk.items || characters + size > chunk.characters)) {
      yield part;
      part = [];
      characters = 0;
    }
    part.push(item);
    characters += size;
  }
  if (part.length > 0) yield part;
}

/** The code of the answer; for another service's answer, our first code with that status. */
export function serviceError(reply: Msg): RotaError {
  const status = Number(reply.headers!.get('Nats-Service-Error-Code'));
  const header = reply.headers!.get('Nats-Service-Error');
  let body: { error?: { code?: string; detail?: string } } | null = null;
  try {
    body = reply.json();
  } catch {
    // Without a body the headers have it.
  }
  const named = body?.error?.code;
  const known = Object.keys(errorCodes) as ErrorCode[];
  const code = known.find((entry) => entry === named) ?? known.find((entry) => errorCodes[entry].status === status);
  return new RotaError(code ?? 'BROKEN', body?.error?.detail ?? header, { fields: { status } });
}

/** The error of a request without an answer. */
export function requestError(error: unknown, subject: string): RotaError {
  const code = error instanceof NatsError ? error.code : '';
  if (code === '503') {
    const detail = `no answer on ${subject}, since nothing listens there: is a supervisor running there, with this prefix?`;
    return new RotaError('SERVICE_UNAVAILABLE', detail, { cause: error });
  }
  if (code === 'TIMEOUT') {
    const detail = `no answer in time on ${subject}: the supervisor is slow or stuck, or cut off from NATS`;
    return new RotaError('ASK_TIMEOUT', detail, { cause: error });
  }
  if (code === 'PERMISSIONS_VIOLATION') {
    return new RotaError('UNAUTHORIZED', `NATS permissions forbid ${subject}`, { cause: error });
  }
  if (code === 'MAX_PAYLOAD_EXCEEDED') {
    return new RotaError('INVALID_REQUEST', 'body: exceeds max_payload of the NATS server', { cause: error });
  }
  if (code.startsWith('CONNECTION')) {
    return new RotaError('SERVICE_UNAVAILABLE', 'the connection to NATS is closed', { cause: error });
  }
  return new RotaError('BROKEN', `request on ${subject} failed`, { cause: error });
}
