import { randomUUID } from 'node:crypto';
import { headers, type MsgHdrs, type NatsConnection, type ServiceMsg } from 'nats';
import { codeOf, errorCodes, type ErrorCode, budgetOf, RotaError } from '../errors.ts';
import { inTrace } from '../mailbox/trace.ts';
import { excerpt, excerptInJson, oneLine } from '../printable.ts';
import type { Log } from '../protocol/scheduler.ts';
import type { ClaimedTask } from '../queue/queue.ts';
import { emit, type SpanAttributes } from '../telemetry/events.ts';
import { startSpan } from '../telemetry/spans.ts';
import { errorBytes } from './budgets.ts';

/** Replies as JSON text. A task's own text is spliced in: parsing it only to write it again would double a pop's CPU. */

interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly status: number; readonly detail: string };
}

/** A task as handed out: its own text, the three lease keys, and the trace to go on with where there is one. */
export function leasedText(claimed: ClaimedTask): string {
  const end = claimed.task.lastIndexOf('}');
  const lease = `"lease_id":"${claimed.leaseId}","lease_until":"${claimed.leaseUntil}","attempts":${claimed.attempts}`;
  const trace = claimed.trace === null ? '' : `,"traceparent":"${claimed.trace}"`;
  return `${claimed.task.slice(0, end)},${lease}${trace}}`;
}

export function resultsText(items: readonly string[]): string {
  return `{"results":[${items.join(',')}]}`;
}

/** One item of a set's answer: whole, and with less where all of them would exceed max_payload. */
export interface SetItem {
  readonly text: string;
  /** Of an error this many characters; of a task its id and status. */
  brief(characters: number): string;
}

/** Characters of each error, tried in turn, where the 1 000 errors of a set would not fit into one message; at 0 only the code stays. */
const briefly = [200, 60, 0] as const;

/**
 * The answer to a set that is committed already, so it must reach the sender: whole, or where that exceeds max_payload
 * with `{id, status}` in place of each task, and less of each error.
 */
export function setText(items: readonly SetItem[], maxPayload: number): string {
  return resultsText(within(items, maxPayload));
}

/** A pop's answer, and what became of the patches that came with it. */
export function settledText(items: readonly string[], settled: readonly SetItem[], room: number): string {
  return `{"results":[${items.join(',')}],"settled":[${within(settled, room).join(',')}]}`;
}

function within(items: readonly SetItem[], room: number): readonly string[] {
  let texts = items.map((item) => item.text);
  for (const characters of briefly) {
    if (bytesOf(resultsText(texts)) <= room) break;
    texts = items.map((item) => item.brief(characters));
  }
  return texts;
}

export function taskItem(text: string, id: string, status: string): SetItem {
  return { text, brief: () => namedText(id, status) };
}

/** Of a task no more than its id and status. */
export function namedItem(id: string, status: string): SetItem {
  const text = namedText(id, status);
  return { text, brief: () => text };
}

/** Ids that the queue gave, and statuses, need no escapes. */
function namedText(id: string, status: string): string {
  return `{"id":"${id}","status":"${status}"}`;
}

export function errorItem(body: ErrorBody): SetItem {
  const { code, status, detail } = body.error;
  return {
    text: JSON.stringify(body),
    brief: (characters) =>
      JSON.stringify({ error: { code, status, detail: detail.slice(0, characters).toWellFormed() } }),
  };
}

/** A task as it is answered alone: where it exceeds max_payload, its id and status, since what was asked for is done. */
export function taskText(text: string, maxPayload: number): string {
  // No character has more than three bytes of its own.
  if (text.length * 3 <= maxPayload || bytesOf(text) <= maxPayload) return text;
  const { id, status } = JSON.parse(text) as { id: string; status: string };
  return JSON.stringify({ id, status });
}

/** Bounds the text of every error by its budget. */
export function errorBody(code: ErrorCode, detail: string): ErrorBody {
  return { error: { code, status: errorCodes[code].status, detail: excerptInJson(detail, errorBytes) } };
}

/** The error that a caller sees of anything thrown: a bug's message stays in our log. */
export function errorOf(thrown: unknown): ErrorBody {
  const code = codeOf(thrown);
  return errorBody(code, code === 'BROKEN' ? 'internal error' : String((thrown as { message?: unknown }).message));
}

/** The two headers of a NATS micro service; the status code is the one REST would answer with. */
function errorHeaders(body: ErrorBody): MsgHdrs {
  const made = headers();
  made.set('Nats-Service-Error-Code', String(body.error.status));
  // A header is one line of printable ASCII; the whole text is in the body.
  made.set('Nats-Service-Error', body.error.detail.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 500));
  return made;
}

export function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}

const nothing = resultsText([]);

/**
 * Answers a request as a span of the requester's trace ('' where it has none). A pop that hands out nothing leaves no span:
 * workers wait all day.
 */
export async function answerInSpan(
  name: string,
  trace: string,
  attributes: SpanAttributes,
  answer: () => Promise<string>,
): Promise<string> {
  const span = startSpan(name, { kind: 'server', parent: trace, attributes });
  if (span === null) return answer();
  try {
    const text = await inTrace(span.trace, answer);
    if (text !== nothing) span.end();
    return text;
  } catch (error) {
    span.fail(error);
    span.end();
    throw error;
  }
}

/**
 * Sends answers. Never throws, even where the library or the answer fails: its callers are callbacks of the connection and of
 * timers, where an error would end the process.
 */
export class Answers {
  /** Answers that were errors, by code. */
  readonly errors: Record<string, number> = {};
  /** The same by endpoint, as the statistics of a micro service have it. */
  readonly ofEndpoint: Record<string, { errors: number; last: string }> = {};
  readonly #connection: NatsConnection;
  readonly #maxPayload: () => number;
  readonly #log: Log;

  constructor(options: { connection: NatsConnection; maxPayload: () => number; log: Log }) {
    this.#connection = options.connection;
    this.#maxPayload = options.maxPayload;
    this.#log = options.log;
  }

  answer(message: ServiceMsg, bytes: Uint8Array, endpoint: string): void {
    const most = this.#maxPayload();
    if (bytes.length <= most) return this.#send(message, bytes);
    const said = `the answer has ${bytes.length} bytes; NATS takes ${most} (max_payload): ask for less of it at once`;
    this.refuse(message, new RotaError('SERVICE_REJECTED', said), endpoint);
  }

  /** @param client of the request; its inbox where it is not known yet */
  refuse(message: ServiceMsg, error: unknown, endpoint: string, client = message.reply ?? ''): void {
    const code = codeOf(error);
    this.errors[code] = (this.errors[code] ?? 0) + 1;
    const budget = budgetOf(error);
    if (budget !== null) {
      const reason = errorOf(error).error.detail;
      emit({ name: 'request.refused', edge: 'nats', of: budget, client: excerpt(client), reason });
    }
    if (code !== 'BROKEN') return this.#sendError(message, errorOf(error), endpoint);
    const id = randomUUID();
    this.#log.error({ subject: message.subject, err: error, id }, 'request failed');
    this.#sendError(message, errorBody('BROKEN', `internal error ${id}`), endpoint);
  }

  #sendError(message: ServiceMsg, body: ErrorBody, endpoint: string): void {
    const { status, detail } = body.error;
    const count = (this.ofEndpoint[endpoint] ??= { errors: 0, last: '' });
    count.errors += 1;
    count.last = `${status}:${oneLine(detail).slice(0, 500).toWellFormed()}`;
    this.#send(message, JSON.stringify(body), errorHeaders(body));
  }

  #send(message: ServiceMsg, data: Uint8Array | string, headers?: MsgHdrs): void {
    if (this.#connection.isClosed()) return;
    try {
      message.respond(data, headers === undefined ? {} : { headers });
    } catch (error) {
      // The connection is closing, or we reconnected to a server with a smaller max_payload.
      this.#log.warn({ subject: message.subject, err: error }, 'answer not sent');
    }
  }
}
