import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { budgets } from './budgets.ts';
import { codeOf, errorCodes, budgetOf, RotaError } from '../errors.ts';
import type { Failure } from '../mailbox/failure.ts';
import { excerpt, excerptInJson } from '../printable.ts';
import { emit } from '../telemetry/events.ts';

/**
 * mula's error answers (kat-contract §1): `{"detail": "…"}` whose text begins with the kind of the error, and FastAPI's list for
 * a request that does not validate.
 */

export type Location = 'path' | 'query' | 'body';

export interface ValidationDetail {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

/** An error answer: a route throws it, the error handler sends it. */
export class HttpError extends Error {
  readonly status: number;
  readonly detail: string | readonly ValidationDetail[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, detail: HttpError['detail'], headers: Readonly<Record<string, string>> = {}) {
    super(typeof detail === 'string' ? detail : 'invalid request');
    this.status = status;
    // Sentences repeat parts of the request, or the database's message.
    this.detail = typeof detail === 'string' ? excerptInJson(detail, budgets.detailBytes) : fitting(detail);
    this.headers = headers;
  }
}

/** The first of them that have room, and one in any case: twenty with inputs of 200 quotes each are 12 kB. */
function fitting(details: readonly ValidationDetail[]): readonly ValidationDetail[] {
  let bytes = 0;
  const end = details.findIndex(
    (detail) => (bytes += Buffer.byteLength(JSON.stringify(detail))) > budgets.detailsBytes,
  );
  return end === -1 ? details : details.slice(0, Math.max(1, end));
}

export const invalid = (details: readonly ValidationDetail[]) => new HttpError(422, details);
export const badRequest = (why: string) => new HttpError(400, `Bad request error occurred: ${why}`);
export const validationError = (why: string) => new HttpError(400, `Validation error occurred: ${why}`);
export const notFound = (what: string) => new HttpError(404, `Resource not found: ${what}`);
export const conflict = (why: string) => new HttpError(409, `Conflict error occurred: ${why}`, { 'retry-after': '60' });
export const tooManyRequests = () => new HttpError(429, 'Too many requests');

/** The answer for a failure that the queue returned as data. */
export function answerOf(failure: Failure): HttpError {
  return fromError(new RotaError(codeOf(failure), failure.message));
}

function fromError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'INVALID_FILTER') return new HttpError(400, `Invalid filter(s): ${message}`);
  const entry = errorCodes[code];
  if (entry.status === 400) return badRequest(message);
  if (entry.status === 404) return notFound(message);
  if (entry.status === 409) return conflict(message);
  if (entry.status === 429) return tooManyRequests();
  if (entry.family === 'busy') return new HttpError(503, `Service unavailable: ${message}`, { 'retry-after': '5' });
  return new HttpError(entry.status, entry.status < 500 ? message : 'Internal Server Error');
}

/** Fastify's own refusals have a `statusCode`: a body too large, a URL that does not decode. They quote the whole URL. */
export function sendError(error: unknown, reply: FastifyReply, logUnexpected: (error: unknown) => void): FastifyReply {
  const statusCode = (error as { statusCode?: unknown }).statusCode;
  const answer =
    typeof statusCode === 'number' && statusCode < 500
      ? new HttpError(statusCode, excerpt((error as Error).message))
      : fromError(error);
  if (answer.status === 500) logUnexpected(error);
  const budget = budgetOf(error);
  if (budget !== null) {
    const { holder, ip } = reply.request;
    const client = holder ? `token ${holder.name}` : ip;
    emit({ name: 'request.refused', edge: 'rest', of: budget, client, reason: answer.message });
  }
  return reply.code(answer.status).headers(answer.headers).send({ detail: answer.detail });
}

interface Issue {
  readonly type: string;
  readonly msg: string;
  readonly ctx?: Readonly<Record<string, unknown>> | undefined;
  readonly input?: unknown;
}

/** Zod's issues as FastAPI's list: unknown keys last, as there. At most twenty, with each input and key shortened. */
export function detailsOf(error: z.core.$ZodError, location: Location, root: unknown): ValidationDetail[] {
  const details: ValidationDetail[] = [];
  const unknownKeys: ValidationDetail[] = [];
  for (const issue of error.issues.slice(0, budgets.faults)) {
    const path = issue.path as (string | number)[];
    if (issue.code === 'unrecognized_keys') {
      const parent = at(root, path) as Record<string, unknown>;
      for (const key of issue.keys.slice(0, budgets.faults)) {
        const loc = [location, ...path, key].map(shortStep);
        unknownKeys.push({
          type: 'extra_forbidden',
          loc,
          msg: 'Extra inputs are not permitted',
          input: shortInput(parent[key]),
        });
      }
      continue;
    }
    const found = issueOf(issue, path);
    const about = found.type === 'missing' ? path.slice(0, -1) : path;
    const input = shortInput('input' in found ? found.input : at(root, about));
    const detail = { type: found.type, loc: [location, ...path].map(shortStep), msg: found.msg, input: input ?? null };
    details.push(found.ctx === undefined ? detail : { ...detail, ctx: found.ctx });
  }
  return [...details, ...unknownKeys].slice(0, budgets.faults);
}

function issueOf(issue: z.core.$ZodIssue, path: readonly unknown[]): Issue {
  if (issue.code === 'custom') return { msg: issue.message, ...(issue.params as Omit<Issue, 'msg'>) };
  if (path.length === 0) {
    return {
      type: 'model_attributes_type',
      msg: 'Input should be a valid dictionary or object to extract fields from',
    };
  }
  return { type: 'value_error', msg: issue.message };
}

function at(root: unknown, path: readonly (string | number)[]): unknown {
  let value = root;
  for (const step of path) value = (value as Record<string | number, unknown> | null | undefined)?.[step];
  return value;
}

/**
 * The echo of input in an error answer: a short value whole, of a longer one the first 200 characters, so that an answer is at most
 * a few times as large as its request. The longest echo of mula's recorded answers has 271 characters.
 */

const wholeUpTo = 300;
/** With the ellipsis. */
const shortened = 201;

/** The value as it came, or the beginning of its JSON as a string. Reads no more of it than it returns. */
export function shortInput(value: unknown): unknown {
  const text = new Beginning(wholeUpTo);
  text.value(value);
  if (!text.full) return value;
  return excerpt(typeof value === 'string' ? value : text.written, shortened);
}

/** A step of a `loc`, shortened: a key may be as long as the body. */
function shortStep(step: string | number): string | number {
  return typeof step === 'string' ? excerpt(step, shortened) : step;
}

/** Writes JSON as far as there is room for it. */
class Beginning {
  written = '';
  readonly #room: number;

  constructor(room: number) {
    this.#room = room;
  }

  get full(): boolean {
    return this.written.length > this.#room;
  }

  value(value: unknown): void {
    if (this.full) return;
    if (typeof value !== 'object' || value === null) this.#scalar(value);
    else if (Array.isArray(value)) this.#list(value);
    else this.#object(value as Record<string, unknown>);
  }

  #scalar(value: unknown): void {
    this.written +=
      (typeof value === 'string' ? JSON.stringify(value.slice(0, this.#room + 1)) : JSON.stringify(value)) ?? 'null';
  }

  #list(values: readonly unknown[]): void {
    this.written += '[';
    for (const [index, value] of values.entries()) {
      if (this.full) return;
      if (index > 0) this.written += ',';
      this.value(value);
    }
    this.written += ']';
  }

  #object(values: Readonly<Record<string, unknown>>): void {
    this.written += '{';
    let first = true;
    for (const key in values) {
      if (this.full) return;
      if (!first) this.written += ',';
      first = false;
      this.#scalar(key);
      this.written += ':';
      this.value(values[key]);
    }
    this.written += '}';
  }
}
