import type { FastifyRequest } from 'fastify';
import { type ApiToken, holderOf, readTokens, type TokenRole, tokenRoles, type TokenSettings } from '../api-tokens.ts';
import { isLoopback } from '../admission.ts';
import type { ChangedWeight, WeightView } from '../protocol/operator.ts';
import type { Logger } from '../telemetry/log.ts';
import { readTlsFiles } from '../tls-files.ts';
import type { App } from './app.ts';
import { HttpError } from './errors.ts';
import { hasLoggedIn, toLogin } from './login.ts';

/** Which clients may reach REST, and how. */
export interface RestAccess {
  /** The tokens with access; every client has access where none is configured. */
  readonly tokens: readonly ApiToken[];
  readonly tls: Tls | null;
  /** URLs under which clients reach REST, beside its own address: browsers may write from them, and links use them. */
  readonly publicUrls: readonly string[];
  /** The address or name that REST listens at. */
  readonly listens: string;
  /** The part of each shared budget that one client may hold: more than 0, at most 1. */
  readonly clientShare: number;
}

interface AccessSettings extends TokenSettings {
  readonly SCHEDULER_API_HOST: string;
  readonly SCHEDULER_API_PUBLIC_URL?: string | undefined;
  readonly SCHEDULER_API_TLS_CERT?: string | undefined;
  readonly SCHEDULER_API_TLS_KEY?: string | undefined;
  readonly SCHEDULER_API_CLIENT_SHARE: number;
}

/** Reads the files that the variables name. @throws RotaError BAD_CONFIG that names the variable */
export function readRestAccess(config: AccessSettings): RestAccess {
  return {
    tokens: readTokens(config),
    tls: readTls(config.SCHEDULER_API_TLS_CERT, config.SCHEDULER_API_TLS_KEY),
    publicUrls: config.SCHEDULER_API_PUBLIC_URL?.split(',') ?? [],
    listens: config.SCHEDULER_API_HOST,
    clientShare: config.SCHEDULER_API_CLIENT_SHARE,
  };
}

/** Certificate (with those between it and the authority) and key, as PEM. */
interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** @returns null where neither is set. @throws RotaError BAD_CONFIG for one without the other, or for no valid PEM */
export function readTls(certPath: string | undefined, keyPath: string | undefined): Tls | null {
  const { cert, key } = readTlsFiles({ cert: certPath, key: keyPath }, 'SCHEDULER_API_TLS');
  return cert === undefined || key === undefined ? null : { cert: Buffer.from(cert), key: Buffer.from(key) };
}

/** At the start: logs which clients have access, and what to do about it. */
export function tellWhoMayAsk(log: Logger, tokens: readonly ApiToken[], host: string, url: string): void {
  const { protocol, port } = new URL(url);
  const address = `${protocol}//${host}:${port}`;
  if (tokens.length > 0) {
    log.info({ address, holders: tokens.map(({ name, role }) => `${name}: ${role}`) }, 'REST asks for a token');
    return;
  }
  const open =
    'lists, pops, pushes, patches, schedules and operators’ commands that only look are open to any client that';
  const nothing = 'REST asks for no token';
  if (isLoopback(host)) {
    log.info({ address, reason: `${open} is on this machine` }, nothing);
    return;
  }
  const advice = 'let only KAT reach it, or set SCHEDULER_API_TOKENS_FILE (docs/security.md)';
  log.warn({ address, reason: `${open} reaches this address: ${advice}` }, nothing);
}

/**
 * The role that each route needs; a route that is not here stops the start (test/rest/access.test.ts). `open` needs no token:
 * probes of orchestrators have none, and a browser logs in before it has one. A `document` may also be read with the cookie of
 * the log-in, which opens nothing else.
 */
type Access = TokenRole | 'open' | 'document';

export const accessOf: Readonly<Record<string, Access>> = {
  'GET /health': 'open',
  'GET /ready': 'open',
  'GET /login': 'open',
  'POST /login': 'open',

  'GET /docs': 'document',
  'GET /docs/': 'document',
  'GET /docs/json': 'document',
  'GET /docs/yaml': 'document',
  'GET /docs/static/*': 'document',
  'HEAD /docs/static/*': 'document',
  'GET /docs/static/index.html': 'document',
  'GET /docs/static/swagger-initializer.js': 'document',
  'GET /openapi.json': 'document',
  'GET /asyncapi.json': 'document',

  'GET /': 'read',
  'GET /metrics': 'read',
  'GET /schedulers': 'read',
  'GET /schedulers/:scheduler_id': 'read',
  'GET /tasks': 'read',
  // A list: its filters are a body.
  'POST /tasks': 'read',
  'GET /tasks/stats': 'read',
  'GET /tasks/:task_id': 'read',
  'GET /tasks/:task_id/start': 'read',
  'GET /tasks/:task_id/history': 'read',
  'GET /schedules': 'read',
  'GET /schedules/:schedule_id': 'read',
  'POST /schedules/search': 'read',
  'GET /weights': 'read',

  // Each command has its own access (src/control).
  'POST /ctl/:command': 'read',

  'POST /schedulers/:scheduler_id/pop': 'work',
  'POST /schedulers/:scheduler_id/push': 'work',
  // The reports of runners; other patches need the role `operate` (src/rest/tasks.ts).
  'PATCH /tasks/:task_id': 'work',

  'POST /schedules': 'operate',
  'PATCH /schedules/:schedule_id': 'operate',
  'DELETE /schedules/:schedule_id': 'operate',
  'PUT /weights/:scheduler_id/:organisation': 'operate',
  'DELETE /weights/:scheduler_id/:organisation': 'operate',
};

declare module 'fastify' {
  interface FastifyRequest {
    /** The holder of its token; null without one. */
    holder: ApiToken | null;
  }
}

/** The client of a request, for its share of what is bounded. */
export function clientOfRequest(request: FastifyRequest): string {
  return request.holder === null ? request.ip : `token ${request.holder.name}`;
}

/** Writes who did what to which task, schedule or organisation: the name of the token, and the address. */
export type RequestAudit = (
  request: FastifyRequest,
  what: 'cancel' | 'queue' | 'change' | 'create-schedule' | 'change-schedule' | 'delete-schedule' | 'set-weight',
  about: { readonly task: string } | { readonly schedule: string } | (WeightView & ChangedWeight),
) => void;

/** The name of its token, or its address. */
export function doerName(request: FastifyRequest): string {
  return request.holder?.name ?? request.ip;
}

/** Whether the holder of the token has at least `role`; always, where no token is configured. */
export function may(request: FastifyRequest, role: TokenRole): boolean {
  return request.holder === null || tokenRoles.indexOf(request.holder.role) >= tokenRoles.indexOf(role);
}

/**
 * Where tokens are configured: requires `Authorization: Bearer <token>` with the role of the route. It checks before the body is
 * read: a wrong token costs one digest (2 µs).
 */
export function installSecurity(app: App, tokens: readonly ApiToken[], now: () => Date): void {
  app.decorateRequest('holder', null);
  app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat())
      if (accessOf[`${one} ${url}`] === undefined)
        throw new Error(`src/rest/access.ts does not say who may ask ${one} ${url}`);
  });
  if (tokens.length === 0) return;
  app.addHook('onRequest', (request, reply, done) => {
    const { url } = request.routeOptions;
    const access: Access = url === undefined ? 'read' : accessOf[`${request.method} ${url}`]!;
    if (access === 'open') return done();
    request.holder = holderOf(tokens, bearerOf(request.headers.authorization));
    if (request.holder === null) {
      if (access === 'document') {
        if (hasLoggedIn(request, tokens, now())) return done();
        if (request.headers.accept?.includes('text/html') === true) return void toLogin(reply);
      }
      return done(new HttpError(401, 'Not authenticated', { 'www-authenticate': 'Bearer' }));
    }
    const needed = access === 'document' ? 'read' : access;
    done(may(request, needed) ? undefined : forbidden(request, `${request.method} ${url}`, needed));
  });
}

/** @param what the request wants, as the message says it */
export function forbidden({ holder }: FastifyRequest, what: string, needed: TokenRole): HttpError {
  return new HttpError(
    403,
    `Not allowed: ${what} needs a token of the role ${needed}, and ${holder?.name} has ${holder?.role}`,
  );
}

const scheme = 'bearer ';

/** Empty where there is none. Without a regular expression: one that allows any number of spaces takes quadratic time. */
function bearerOf(header: string | undefined): string {
  if (header === undefined || header.slice(0, scheme.length).toLowerCase() !== scheme) return '';
  return header.slice(scheme.length).trim();
}
