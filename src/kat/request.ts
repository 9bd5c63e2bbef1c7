import type { z } from 'zod';
import { RotaError } from '../errors.ts';
import { partAnswered, partFailed } from '../telemetry/events.ts';
import { inSpan, type Span } from '../telemetry/spans.ts';
import { type Circuit, type CircuitState, createCircuit, createSlots } from './resilience.ts';
import {
  afterMs,
  ask,
  basicAuthorization,
  createConnections,
  detailOf,
  isOwnNotFound,
  transportReason,
  urlOf,
  type WireRequest,
} from './http.ts';
import { time } from '../time-and-chance.ts';

export interface ServiceSettings {
  /** Base URL; a path in it is kept, a user and password in it become basic authentication. */
  readonly url: string;
  /** Of one try, its body included. */
  readonly timeoutMs: number;
  /** Requests in flight. */
  readonly connections: number;
}

/** Time as the clients see it, so that tests need not wait. */
export interface Time {
  /** Milliseconds of any steadily growing clock: pauses of a circuit, and how long an answer is kept. */
  readonly now: () => number;
  /** Epoch milliseconds, by the database's clock: the moment that a service is asked about. */
  readonly today: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** `today`: epoch milliseconds, by the database's clock. */
export function realTime(today: () => number): Time {
  return { now: () => time.monotonicMs(), today, sleep: (ms, signal) => time.sleep(ms, signal) };
}

export interface JsonRequest<T> extends WireRequest {
  readonly answer: z.ZodType<T>;
  /** 4xx statuses that are answers to this request: 404 where absence is one. Others reject with SERVICE_REJECTED. */
  readonly declines?: readonly number[];
}

/** The parsed answer, or the status with which the service declined. */
export type ServiceAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly status: number };

export interface ServiceClient {
  readonly service: string;
  /** Rejects with SERVICE_UNAVAILABLE for an outage, SERVICE_REJECTED for an answer that does not fit. */
  ask<T>(request: JsonRequest<T>): Promise<ServiceAnswer<T>>;
  status(): ServiceStatus;
  close(): void;
}

export interface ServiceStatus {
  readonly service: string;
  readonly circuit: CircuitState;
  /** Epoch milliseconds by the database's clock; null while it is closed. */
  readonly openSince: number | null;
  readonly inFlight: number;
  readonly lastError: string | null;
}

/**
 * A proxy's 502–504 means the whole service is down. A 500 is about the request: a few organisations with a broken node must
 * not close Octopoes to all others.
 */
const absent: ReadonlySet<number> = new Set([502, 503, 504]);

/** Short: the caller tries again later anyway, with its event still in hand. */
const retryDelaysMs = [250, 1_000];

export function createServiceClient(
  service: string,
  settings: ServiceSettings,
  time: Time,
  onCircuit?: (state: CircuitState) => void,
): ServiceClient {
  const base = new URL(settings.url);
  const basic = basicAuthorization(base);
  const slots = createSlots(settings.connections);
  const connections = createConnections(settings.connections);
  const closing = new AbortController();
  let openSince: number | null = null;
  // Five in a row is more than one lost connection or one restart of a replica. 2 s to 4 s between probes: one request, and
  // all that waits goes on within 5 s of the service's return.
  const circuit: Circuit = createCircuit({
    failures: 5,
    pauseMs: 2_000,
    maxPauseMs: 4_000,
    now: time.now,
    onChange: (state) => {
      openSince = state === 'closed' ? null : (openSince ?? time.today());
      onCircuit?.(state);
    },
  });
  let lastError: string | null = null;

  const unavailable = (message: string, path: string, cause?: unknown) => {
    lastError = `${service} ${message}`;
    return new RotaError('SERVICE_UNAVAILABLE', lastError, { fields: { service, path }, cause });
  };
  /** Leaves `lastError` alone: what opened the circuit is what an operator wants to read. */
  const notAsked = (path: string) =>
    new RotaError('SERVICE_UNAVAILABLE', `${service} is not asked for now, it failed too often: ${lastError}`, {
      fields: { service, path },
    });
  const rejected = (message: string, path: string, fields: Record<string, unknown> = {}) => {
    lastError = `${service} ${message}`;
    return new RotaError('SERVICE_REJECTED', lastError, { fields: { service, path, ...fields } });
  };

  /** A span of its own for each try: `GET katalogus`. The query may name OOIs, the path names organisations at most. */
  const attemptInSpan = <T>(request: JsonRequest<T>, url: URL, name: string): Promise<ServiceAnswer<T> | FailedTry> => {
    const method = request.method ?? 'GET';
    const attributes = { 'http.request.method': method, 'url.path': url.pathname, 'server.address': url.host };
    return inSpan(`${method} ${service}`, { kind: 'client', attributes }, async (span) => {
      const answer = await attempt(request, url, name, span);
      if ('outage' in answer) span?.fail(answer.outage);
      return answer;
    });
  };

  const attempt = async <T>(
    request: JsonRequest<T>,
    url: URL,
    name: string,
    span: Span | null,
  ): Promise<ServiceAnswer<T> | FailedTry> => {
    if (closing.signal.aborted) throw unavailable('client is closed', url.pathname);
    const permit = circuit.admit();
    if (permit === null) throw notAsked(url.pathname);
    const timeout = AbortSignal.timeout(settings.timeoutMs);
    let status: number;
    let retryAfter: string | null;
    let text: string;
    try {
      const trace = span?.trace ?? null;
      const answer = await ask(url, request, {
        basic,
        trace,
        signal: AbortSignal.any([timeout, closing.signal]),
        connections,
      });
      ({ status, retryAfter } = answer);
      span?.set({ 'http.response.status_code': status });
      text = await answer.text();
    } catch (cause) {
      permit.failed();
      const reason = timeout.aborted ? `within ${settings.timeoutMs} ms` : `(${transportReason(cause)})`;
      return { outage: unavailable(`did not answer ${name} ${reason}`, url.pathname, cause), afterMs: null };
    }
    if (status === 404 && !isOwnNotFound(text)) {
      permit.succeeded();
      const message = `answered ${name} as if it had no such route: check its URL, and any proxy in front of it`;
      return { outage: unavailable(message, url.pathname), afterMs: null };
    }
    if (absent.has(status)) permit.failed();
    else permit.succeeded();
    // No answer to anything, and no fault of what was asked about: a login page of a proxy, say.
    if (status < 400 && status >= 300) {
      const message = `answered ${status} to ${name}, a redirect to nowhere: check its URL, and any proxy in front of it`;
      return { outage: unavailable(message, url.pathname), afterMs: null };
    }
    if (status >= 500 || status === 429) {
      return { outage: unavailable(`answered ${status} to ${name}`, url.pathname), afterMs: afterMs(retryAfter) };
    }
    if (request.declines?.includes(status) === true) return { ok: false, status };
    if (status >= 400) {
      const detail = request.form === undefined ? detailOf(text) : '';
      throw rejected(`answered ${status} to ${name}${detail}`, url.pathname, { status });
    }
    return { ok: true, value: parse(request.answer, text, name, url.pathname) };
  };

  const parse = <T>(schema: z.ZodType<T>, text: string, name: string, path: string): T => {
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      throw rejected(`answered ${name} with something that is not JSON`, path);
    }
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const field = issue?.path.map(String).join('.') || '(the whole)';
    throw rejected(`answered ${name} not as agreed: ${field}: ${issue?.message}`, path, { field });
  };

  return {
    service,
    ask: async (request) => {
      const url = urlOf(base, request, (segment) =>
        rejected(`cannot be asked about ${JSON.stringify(segment)}`, base.pathname),
      );
      const name = `${request.method ?? 'GET'} ${url.pathname}`;
      for (let tries = 0; ; tries += 1) {
        // Between tries no slot is held: others may have better luck.
        const answer = await slots.run(() => attemptInSpan(request, url, name));
        if (!('outage' in answer)) {
          partAnswered(service);
          return answer;
        }
        const delay = retryDelaysMs[tries];
        if (delay === undefined || circuit.state() !== 'closed') {
          partFailed(service, answer.outage.message);
          throw answer.outage;
        }
        await time.sleep(Math.max(delay, answer.afterMs ?? 0), closing.signal).catch(() => {});
      }
    },
    status: () => ({ service, circuit: circuit.state(), openSince, inFlight: slots.inUse(), lastError }),
    close: () => {
      closing.abort();
      void connections.destroy();
    },
  };
}

interface FailedTry {
  readonly outage: RotaError;
  readonly afterMs: number | null;
}
