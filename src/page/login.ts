import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../telemetry/log.ts';
import { logInBound } from './bounds.ts';
import { type Html, html } from './html.ts';
import { plainDocument } from './layout.ts';
import { hiddenFields, state } from './pieces.ts';
import { backOf, field, type Form, formOf, send, single } from './reply.ts';
import { cookieName, isSecure, type PageAccess, type Sessions, sessionSeconds } from './session.ts';

export const themes = ['auto', 'light', 'dark'] as const;

interface SessionParts {
  readonly assets: string;
  readonly sessions: Sessions;
  readonly access: PageAccess;
  readonly log: Logger;
  /** A session has ended: by its cookie. */
  readonly onLogOut: (cookie: string) => void;
}

/** Log-in, log-out, and the theme. */
export function sessionRoutes(app: FastifyInstance, { assets, sessions, access, log, onLogOut }: SessionParts): void {
  const sessionCookie = cookieName(access, 'page');
  const options = {
    path: '/',
    httpOnly: true,
    sameSite: 'lax',
    secure: isSecure(access),
    maxAge: sessionSeconds,
  } as const;
  // Without HEAD, which would use up the code of a link.
  const limited = { exposeHeadRoute: false, config: { rateLimit: logInBound } };
  const enter = (request: FastifyRequest, reply: FastifyReply, token: string, asked: Form) => {
    const begun = sessions.logIn(token);
    if (begun !== null) return reply.setCookie(sessionCookie, begun.cookie, options).redirect(backOf(asked), 303);
    log.warn({ address: request.ip }, 'page: log-in refused');
    return send(reply.code(401), logInPage(assets, asked, 'That is no token of this scheduler.'));
  };
  app.get('/login', limited, (request, reply) => {
    if (!sessions.areAsked) return reply.redirect('/', 303);
    const asked = single(request.query as Readonly<Record<string, string | string[]>>);
    const { once } = asked;
    return once === undefined ? send(reply, logInPage(assets, asked, '')) : enter(request, reply, once, asked);
  });
  app.post('/login', limited, (request, reply) => {
    const form = formOf(request);
    return enter(request, reply, field(form, 'token').trim(), form);
  });
  app.post('/logout', (request, reply) => {
    const cookie = request.cookies[sessionCookie];
    if (cookie !== undefined) {
      sessions.logOut(cookie);
      onLogOut(cookie);
    }
    return reply.clearCookie(sessionCookie, { ...options, maxAge: 0 }).redirect('/login', 303);
  });
  app.post('/theme', (request, reply) => {
    const form = formOf(request);
    const known = themes.find((one) => one === field(form, 'theme')) ?? 'auto';
    return reply.setCookie('theme', known, { ...options, maxAge: 31_536_000 }).redirect(backOf(form), 303);
  });
}

/** `asked`: with the page to go to. */
function logInPage(assets: string, asked: Form, says: string): Html {
  const form = html`<form method="post" action="/login" class="login">
    ${says !== '' && html`<p role="alert">${state('bad', says)}</p>`} ${hiddenFields({ back: backOf(asked) })}
    <label>Token <input type="password" name="token" autocomplete="current-password" required autofocus /></label>
    <button>Log in</button>
    <p>
      A token of the role <code>read</code> looks, one of <code>operate</code> acts:
      <code>rota token new NAME ROLE</code>. Either sees the objects of all organisations.
    </p>
  </form>`;
  return plainDocument(assets, 'Log in', form);
}
