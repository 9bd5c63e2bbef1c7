import type { FastifyInstance, FastifyReply } from 'fastify';
import { html } from './html.ts';
import { plainDocument } from './layout.ts';
import { state } from './pieces.ts';
import { backOf, field, formOf, send } from './reply.ts';
import { isSecure, type PageAccess, sessionCookie, type Sessions, sessionSeconds } from './session.ts';

export const themes = ['auto', 'light', 'dark'] as const;

/** Log-in, log-out, and the theme. */
export function sessionRoutes(app: FastifyInstance, assets: string, sessions: Sessions, access: PageAccess): void {
  const options = {
    path: '/',
    httpOnly: true,
    sameSite: 'lax',
    secure: isSecure(access),
    maxAge: sessionSeconds,
  } as const;
  const limited = { config: { rateLimit: { max: 10, timeWindow: 60_000 } } };
  const form = (says: string) =>
    html`<form method="post" action="/login" class="login">
      ${says !== '' && html`<p role="alert">${state('bad', says)}</p>`}
      <label>Token <input type="password" name="token" autocomplete="current-password" required autofocus /></label>
      <button>Log in</button>
      <p>
        A token of the role <code>read</code> looks, one of <code>operate</code> acts:
        <code>rota token new NAME ROLE</code>. Either sees the objects of all organisations.
      </p>
    </form>`;
  const enter = (reply: FastifyReply, token: string) => {
    const begun = sessions.logIn(token);
    if (begun !== null) return reply.setCookie(sessionCookie, begun.cookie, options).redirect('/', 303);
    return send(reply.code(401), plainDocument(assets, 'Log in', form('That is no token of this scheduler.')));
  };
  app.get('/login', limited, (request, reply) => {
    const { once } = request.query as { readonly once?: string };
    if (once !== undefined) return enter(reply, once);
    return send(reply, plainDocument(assets, 'Log in', form('')));
  });
  app.post('/login', limited, (request, reply) => enter(reply, field(formOf(request), 'token').trim()));
  app.post('/logout', (_request, reply) => reply.clearCookie(sessionCookie, { path: '/' }).redirect('/login', 303));
  app.post('/theme', (request, reply) => {
    const form = formOf(request);
    const known = themes.find((one) => one === field(form, 'theme')) ?? 'auto';
    return reply.setCookie('theme', known, { ...options, maxAge: 31_536_000 }).redirect(backOf(form), 303);
  });
}
