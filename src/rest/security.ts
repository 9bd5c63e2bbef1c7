import type { FastifyRequest } from 'fastify';
import { type ApiToken, holderOf, type Role, roles } from '../api-tokens.ts';
import type { Logger } from '../telemetry/log.ts';
import type { App } from './app.ts';
import { Answer } from './errors.ts';
import { hasLoggedIn, toLogin } from './login.ts';
import { isLoopback } from './origins.ts';
import { type Access, accessOf } from './roles.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose token it carries; null where it carries none. */
    holder: ApiToken | null;
  }
}

/** Whose request it is, for what each client may hold of what is shared, and for the audit log. */
export function clientOf(request: FastifyRequest): string {
  return request.holder === null ? request.ip : `token ${request.holder.name}`;
}

/** Who did something to what, for the log. */
export type Audit = (
  request: FastifyRequest,
  what: 'cancel' | 'queue' | 'change' | 'create-schedule' | 'change-schedule' | 'delete-schedule',
  about: { readonly task: string } | { readonly schedule: string },
) => void;

export function doerOf(request: FastifyRequest): { readonly from: string; readonly by?: string } {
  return { from: request.ip, ...(request.holder === null ? {} : { by: request.holder.name }) };
}

/** Whether the holder of the token may do what needs `role`; everybody, where no token is configured. */
export function may(request: FastifyRequest, role: Role): boolean {
  return request.holder === null || roles.indexOf(request.holder.role) >= roles.indexOf(role);
}

/**
 * Asks for `Authorization: Bearer <token>` of the role that the route needs, where tokens are configured. Before the body is
 * read: a wrong token costs its digest (2 µs). A route that src/rest/roles.ts does not have stops the start.
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
      return done(new Answer(401, 'Not authenticated', { 'www-authenticate': 'Bearer' }));
    }
    const needed = access === 'document' ? 'read' : access;
    done(may(request, needed) ? undefined : forbidden(request, `${request.method} ${url}`, needed));
  });
}

/** @param what is asked, as the message says it. */
export function forbidden({ holder }: FastifyRequest, what: string, needed: Role): Answer {
  return new Answer(
    403,
    `Not allowed: ${what} needs a token of the role ${needed}, and ${holder?.name} has ${holder?.role}`,
  );
}

const scheme = 'bearer ';

/** Empty where there is none. By hand: an expression that allows any number of spaces takes the square of them. */
function bearerOf(header: string | undefined): string {
  if (header === undefined || header.slice(0, scheme.length).toLowerCase() !== scheme) return '';
  return header.slice(scheme.length).trim();
}

/** At the start: what is open to whom, and what to do about it. */
export function tellWhoMayAsk(log: Logger, tokens: readonly ApiToken[], host: string, url: string): void {
  const { protocol, port } = new URL(url);
  const address = `${protocol}//${host}:${port}`;
  if (tokens.length > 0) {
    log.info({ address, holders: tokens.map(({ name, role }) => `${name}: ${role}`) }, 'REST asks for a token');
    return;
  }
  const open = 'lists, pops, pushes, patches and schedules are open to whoever';
  const nothing = 'REST asks for no token';
  if (isLoopback(host)) {
    log.info({ address, reason: `${open} is on this machine` }, nothing);
    return;
  }
  const advice = 'let only KAT reach it, or set SCHEDULER_API_TOKENS_FILE (docs/security.md)';
  log.warn({ address, reason: `${open} reaches this address: ${advice}` }, nothing);
}
