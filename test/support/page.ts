import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import { onTestFinished } from 'vitest';
import { newToken, readTokens, type TokenRole } from '../../src/api-tokens.ts';
import type { OperatorClient } from '../../src/control/overview.ts';
import { createPageServer, type PageOptions, type PageServer } from '../../src/page/server.ts';
import type { PageAccess } from '../../src/page/session.ts';
import type { Logger } from '../../src/telemetry/log.ts';

/** Tokens of these names and roles, as configured and as their holders have them. */
export function tokensFor<Name extends string>(roles: Readonly<Record<Name, TokenRole>>) {
  const made = Object.entries<TokenRole>(roles).map(([name, role]) => ({ name, ...newToken(name, role) }));
  const lines = made.map(({ line }) => line).join(',');
  return {
    lines,
    tokens: readTokens({ SCHEDULER_API_TOKENS: lines }),
    of: Object.fromEntries(made.map(({ name, token }) => [name, token])) as Readonly<Record<Name, string>>,
  };
}

/** A log that keeps what it is told. */
export function keepingLog(): { readonly log: Logger; readonly lines: unknown[][] } {
  const lines: unknown[][] = [];
  const keep = (...said: unknown[]) => void lines.push(said);
  const log = { info: keep, warn: keep, error: keep, debug: () => {}, child: () => log } as unknown as Logger;
  return { log, lines };
}

export function pageAccess(access: Partial<PageAccess> = {}): PageAccess {
  const secret = 'the secret of these tests, which is long enough';
  const plain = { host: '127.0.0.1', port: 0, tokens: [], once: null, publicUrls: [], tls: null };
  return { ...plain, secret, cookieSuffix: 'test', ...access };
}

const nothing = { results: [], count: 0, count_is_least: false, next: null };
const quiet: Readonly<Record<string, unknown>> = {
  status: {
    instance: 'aaaa',
    version: '1',
    now: '2026-11-01T00:00:00Z',
    started_at: '2026-11-01T00:00:00Z',
    pid: 1,
    rss_bytes: 1,
    loop_p99_ms: 1,
    actors: [],
    schedulers: [],
    sources: [],
    unknown: [],
  },
  doctor: { instance: 'aaaa', version: '1', node: 'v26', findings: [] },
  incidents: { results: [], unknown: null },
  'preview-pause': { tasks: 0, tasks_is_least: false, fair: true },
  organisations: { ...nothing, total: 0, organisations: 0 },
};

/** What a command answers where nothing is queued, nobody did anything and nothing is wrong. */
export async function quietAnswer(name: string): Promise<unknown> {
  return quiet[name] ?? nothing;
}

/** The page without a supervisor: what commands answer is the test's. */
export async function startPageAlone(
  options: Partial<Omit<PageOptions, 'access'>> & {
    readonly access?: Partial<PageAccess>;
    readonly ask?: (name: string, body: unknown) => Promise<unknown>;
  } = {},
): Promise<{ readonly url: string; readonly server: PageServer }> {
  const ask = options.ask ?? (() => Promise.reject(new Error('no command is answered here')));
  const operators = { ask, instances: async () => ['aaaa'] } as unknown as OperatorClient;
  const server = await createPageServer({
    operatorsFor: () => operators,
    place: 'test',
    now: () => Date.now(),
    log: keepingLog().log,
    audit: () => {},
    ...options,
    access: pageAccess(options.access),
  });
  const url = await server.listen();
  onTestFinished(() => server.close());
  return { url, server };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Fields of a form, or a body as it is. */
  readonly body?: Readonly<Record<string, string>> | string;
}

/** One request with these headers alone: no redirect is followed, and none of fetch's own headers is added. */
export async function ask(
  url: string,
  path: string,
  { method = 'GET', headers = {}, body }: Ask = {},
): Promise<Answer> {
  const response = await open(url, path, { method, headers, ...(body === undefined ? {} : { body }) });
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) text += chunk as string;
  return { status: response.statusCode!, headers: response.headers, body: text };
}

/** As above; the body is the caller's to read. */
export async function open(
  url: string,
  path: string,
  { method = 'GET', headers = {}, body }: Ask = {},
): Promise<IncomingMessage> {
  const text = body === undefined || typeof body === 'string' ? body : new URLSearchParams(body).toString();
  const form = typeof body === 'object' ? { 'content-type': 'application/x-www-form-urlencoded' } : {};
  const { hostname, port } = new URL(url);
  const sent = httpRequest({ host: hostname, port, path, method, agent: false, headers: { ...form, ...headers } });
  sent.end(text);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

/** What a browser sends with a form of the page. */
export const fromUs = { 'sec-fetch-site': 'same-origin' } as const;

/** The `Cookie` header of a session. */
export async function logIn(url: string, token: string): Promise<string> {
  const answer = await ask(url, '/login', { method: 'POST', headers: fromUs, body: { token } });
  const [cookie] = answer.headers['set-cookie'] ?? [];
  if (answer.status !== 303 || cookie === undefined) throw new Error(`not logged in: ${answer.status}`);
  return cookie.split(';')[0]!;
}
