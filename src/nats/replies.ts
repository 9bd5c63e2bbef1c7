import { headers, type MsgHdrs } from 'nats';
import { codeOf, errorCodes, type ErrorCode } from '../errors.ts';
import type { ClaimedTask } from '../queue/queue.ts';

/** Replies as JSON text. A task's own text is spliced in: parsing it only to write it again would double a pop's CPU. */

export interface ErrorBody {
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

/** One item of a set's answer; `brief` stands in where the whole answer would exceed max_payload. */
export interface SetItem {
  readonly text: string;
  readonly brief: string;
}

/**
 * The answer to a set that is committed already, so it must reach the sender: whole, or where that exceeds max_payload
 * with `{id, status}` in place of each task.
 */
export function setText(items: readonly SetItem[], maxPayload: number): string {
  const whole = resultsText(items.map((item) => item.text));
  return bytesOf(whole) <= maxPayload ? whole : resultsText(items.map((item) => item.brief));
}

export function taskItem(text: string, id: string, status: string): SetItem {
  return { text, brief: JSON.stringify({ id, status }) };
}

export function errorItem(body: ErrorBody): SetItem {
  const text = JSON.stringify(body);
  return { text, brief: text };
}

export function errorBody(code: ErrorCode, detail: string): ErrorBody {
  return { error: { code, status: errorCodes[code].status, detail } };
}

/** What a caller may read of whatever was thrown: a bug's message stays in our log. */
export function errorOf(thrown: unknown): ErrorBody {
  const code = codeOf(thrown);
  const detail = code === 'BROKEN' ? 'internal error' : (thrown as { message: string }).message;
  return errorBody(code, detail);
}

/** The two headers of a NATS micro service; the status code is the one REST would answer with. */
export function errorHeaders(body: ErrorBody): MsgHdrs {
  const made = headers();
  made.set('Nats-Service-Error-Code', String(body.error.status));
  // A header is one line of printable ASCII; the whole text is in the body.
  made.set('Nats-Service-Error', body.error.detail.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 500));
  return made;
}

export function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}
