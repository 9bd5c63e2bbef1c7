import { createHmac, timingSafeEqual } from 'node:crypto';
import helmet from '@fastify/helmet';
import { parseCookie, stringifySetCookie } from 'cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ApiToken, holderOf } from '../api-tokens.ts';
import type { App } from './app.ts';

/**
 * The log-in by which a browser sees /docs where tokens are configured: a form, and a cookie that scripts cannot read and that
 * requests of other sites do not carry. It opens documents alone, so that a page that tricks a browser gains nothing.
 */

const cookieName = 'rota_docs';
const lastsSeconds = 12 * 60 * 60;

/** Signed with the token's digest: it ends with the token, and every supervisor accepts it. */
function cookieOf(holder: ApiToken, now: Date, secure: boolean): string {
  const ends = Math.floor(now.getTime() / 1_000) + lastsSeconds;
  const value = `${holder.name}/${ends}/${signature(holder, ends)}`;
  return stringifySetCookie({
    name: cookieName,
    value,
    httpOnly: true,
    sameSite: 'strict',
    path: '/',
    maxAge: lastsSeconds,
    secure,
  });
}

/** Whether the request has a valid cookie of a token that still exists. */
export function hasLoggedIn(request: FastifyRequest, tokens: readonly ApiToken[], now: Date): boolean {
  const [name, ends, given, ...more] = (parseCookie(request.headers.cookie ?? '')[cookieName] ?? '').split('/', 4);
  const holder = tokens.find((token) => token.name === name);
  if (holder === undefined || given === undefined || more.length > 0) return false;
  const [expected, actual] = [Buffer.from(signature(holder, Number(ends))), Buffer.from(given)];
  const isSigned = actual.length === expected.length && timingSafeEqual(actual, expected);
  return isSigned && Number(ends) > now.getTime() / 1_000;
}

function signature({ name, digest }: ApiToken, ends: number): string {
  return createHmac('sha256', digest).update(`${name}/${ends}`).digest('base64url');
}

export function toLogin(reply: FastifyReply): FastifyReply {
  return reply.code(303).header('location', '/login').send();
}

export function loginRoutes(app: App, tokens: readonly ApiToken[], now: () => Date): void {
  const page = (reply: FastifyReply, status: number, says: string) =>
    reply.code(status).type('text/html; charset=utf-8').header('cache-control', 'no-store').send(form(says));

  app.get('/login', { schema: { hide: true } }, (_request, reply) => page(reply, 200, ''));

  app.post('/login', { schema: { hide: true } }, (request, reply) => {
    // A body of another type than JSON is a text (src/rest/request.ts).
    const given = typeof request.body === 'string' ? new URLSearchParams(request.body).get('token') : null;
    const holder = holderOf(tokens, given?.trim() ?? '');
    if (holder === null) return page(reply, 401, 'That is no token of this scheduler.');
    return reply
      .code(303)
      .headers({ location: '/docs', 'set-cookie': cookieOf(holder, now(), request.protocol === 'https') })
      .send();
  });
}

const form = (says: string) => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Scheduler: log in</title></head>
<body>
<h1>Scheduler</h1>
<p>${says}</p>
<form method="post" action="/login">
<label>Token of the REST API <input type="password" name="token" autocomplete="current-password" required autofocus></label>
<button>Show the documentation</button>
</form>
</body>
</html>
`;

/** The headers of pages: our own scripts and styles only, in no foreign frame. */
export async function installPageHeaders(pages: App, https: boolean): Promise<void> {
  await pages.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        // Swagger's page styles itself by attributes.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    xFrameOptions: { action: 'deny' },
    // Without TLS it means nothing, and behind a proxy the proxy sets it.
    strictTransportSecurity: https,
  });
}
