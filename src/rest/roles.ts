import type { FastifyRequest } from 'fastify';
import { type ApiToken, holderOf, type TokenRole, tokenRoles } from '../api-tokens.ts';
import type { App } from './app.ts';
import { HttpError } from './errors.ts';
import { hasLoggedIn, toLogin } from './login.ts';

/**
 * The role that each route needs; a route that is not here stops the start (test/rest/roles.test.ts). `open` needs no token:
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

  'GET /': 'read',
  'GET /metrics': 'read',
  'GET /schedulers': 'read',
  'GET /schedulers/:scheduler_id': 'read',
  'GET /tasks': 'read',
  // A list: its filters are a body.
  'POST /tasks': 'read',
  'GET /tasks/stats': 'read',
  'GET /tasks/:task_id': 'read',
  'GET /schedules': 'read',
  'GET /schedules/:schedule_id': 'read',
  'POST /schedules/search': 'read',

  'POST /schedulers/:scheduler_id/pop': 'work',
  'POST /schedulers/:scheduler_id/push': 'work',
  // The reports of runners; other patches need the role `operate` (src/rest/tasks.ts).
  'PATCH /tasks/:task_id': 'work',

  'POST /schedules': 'operate',
  'PATCH /schedules/:schedule_id': 'operate',
  'DELETE /schedules/:schedule_id': 'operate',
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

/** Writes who did what to which task or schedule. */
export type RequestAudit = (
  request: FastifyRequest,
  what: 'cancel' | 'queue' | 'change' | 'create-schedule' | 'change-schedule' | 'delete-schedule',
  about: { readonly task: string } | { readonly schedule: string },
) => void;

export function doerOf(request: FastifyRequest): { readonly from: string; readonly by?: string } {
  return { from: request.ip, ...(request.holder === null ? {} : { by: request.holder.name }) };
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
        throw new Error(`src/rest/roles.ts does not say who may ask ${one} ${url}`);
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
