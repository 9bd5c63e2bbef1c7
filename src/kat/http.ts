import { RotaError } from '../errors.ts';
import { traceHeader } from '../mailbox/trace.ts';

/** One JSON request as it goes over the wire. */
export interface WireRequest {
  readonly method?: 'GET' | 'POST';
  /** Segments of the path, encoded here. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>>;
  readonly bearer?: string;
}

/** The longest Retry-After that is waited for; after that the caller gets the failure. */
const longestRetryAfterMs = 5_000;

/** With the lookbehind it looks at each run of slashes once; without, 16 000 slashes took 0.4 s. */
const trailingSlashes = /(?<!\/)\/+$/;

export function urlOf(base: URL, request: WireRequest, refused: (segment: string) => RotaError): URL {
  for (const segment of request.path) {
    // Encoding does not help these: URL parsers read `%2e%2e` as a step up too.
    if (segment === '' || segment === '.' || segment === '..') throw refused(segment);
  }
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(trailingSlashes, '')}/${request.path.map((segment) => encodeURIComponent(segment.toWellFormed())).join('/')}`;
  for (const [name, value] of Object.entries(request.query ?? {})) {
    for (const one of typeof value === 'string' ? [value] : value) url.searchParams.append(name, one);
  }
  return url;
}

/** @param trace traceparent that the service is to go on with; null for none. */
export function requestInit(request: WireRequest, basic: string | null, trace: string | null): RequestInit {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (trace !== null) headers[traceHeader] = trace;
  if (request.bearer !== undefined) headers['authorization'] = `Bearer ${request.bearer}`;
  else if (basic !== null) headers['authorization'] = basic;
  const method = request.method ?? 'GET';
  if (request.form !== undefined) return { method, headers, body: new URLSearchParams(request.form) };
  if (request.json === undefined) return { method, headers };
  headers['content-type'] = 'application/json';
  return { method, headers, body: JSON.stringify(request.json) };
}

/** fetch refuses URLs with credentials: takes them out of the URL. */
export function basicAuthorization(url: URL): string | null {
  if (url.username === '' && url.password === '') return null;
  const pair = `${decoded(url.username)}:${decoded(url.password)}`;
  url.username = '';
  url.password = '';
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

/** A per cent sign that encodes nothing stays as it is, as in a URL parser: passwords are not always encoded. */
function decoded(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (bytes) => {
    try {
      return decodeURIComponent(bytes);
    } catch {
      return bytes;
    }
  });
}

export function transportReason(error: unknown): string {
  const cause = (error as { cause?: { code?: unknown } }).cause;
  return typeof cause?.code === 'string' ? cause.code : 'connection lost';
}

export function afterMs(retryAfter: string | null): number | null {
  const seconds = Number(retryAfter ?? Number.NaN);
  return Number.isFinite(seconds) ? Math.min(seconds * 1_000, longestRetryAfterMs) : null;
}

/** FastAPI's `detail` where it is a sentence; its list form repeats what was sent, secrets included. */
export function detailOf(text: string): string {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    return typeof detail === 'string' ? `: ${detail.slice(0, 200)}` : '';
  } catch {
    return '';
  }
}

/**
 * Whether a 404 is about what was asked for. Octopoes and Katalogus say what they did not find, as `detail`, `value` or
 * `message`; FastAPI's bare `Not Found`, and what is not JSON, come from a router or proxy that never reached them. If it
 * counted as an answer, one misrouted ingress would make every OOI and organisation look gone.
 */
export function isOwnNotFound(text: string): boolean {
  try {
    const body = JSON.parse(text) as { detail?: unknown } | null;
    return typeof body === 'object' && body !== null && body.detail !== 'Not Found';
  } catch {
    return false;
  }
}

const healthWithinMs = 2_000;
const healthRequest = { path: ['health'] };

/** Whether each service that has a URL reports at its /health, within two seconds, that it is healthy. Never rejects. */
export async function healthOfServices(
  services: Readonly<Record<string, string | undefined>>,
): Promise<Readonly<Record<string, boolean>>> {
  const asked = Object.entries(services).flatMap(([name, url]) => (url === undefined ? [] : [[name, url] as const]));
  return Object.fromEntries(await Promise.all(asked.map(async ([name, url]) => [name, await isHealthy(url)] as const)));
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const base = new URL(url);
    const basic = basicAuthorization(base);
    const unreachable = () => new RotaError('SERVICE_REJECTED', 'no such path');
    const answer = await fetch(urlOf(base, healthRequest, unreachable), {
      ...requestInit(healthRequest, basic, null),
      signal: AbortSignal.timeout(healthWithinMs),
    });
    const body = (await answer.json()) as { healthy?: unknown };
    return answer.ok && body.healthy === true;
  } catch {
    return false;
  }
}
