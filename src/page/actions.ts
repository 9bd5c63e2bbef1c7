import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { codeOf, RotaError } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import { excerpt, oneLine } from '../printable.ts';
import { actions } from './actions/actions.ts';
import { actionsAMinute } from './bounds.ts';
import { html, type Html } from './html.ts';
import type { Action, Confirmation, Notice, Page, PageRequest } from './page.ts';
import { hiddenFields, state } from './pieces.ts';
import { backOf, field, type Form, formOf, isOurPath } from './reply.ts';
import { cookieName, isSecure, type PageAccess, type Session, type Sessions } from './session.ts';

/**
 * What a form does. A button posts its fields to `/do/<action>`. An action that costs something is asked about first: the answer is a
 * page that says what it will do, with a form that carries the same fields and a seal over them. So what is confirmed is what is done,
 * and nothing of it needs a script.
 */

const noticeSeconds = 30;
/** A browser drops a cookie of more than 4 kB, and a proxy an answer with headers of more than that: both seem to do nothing. */
const longestCookie = 3_500;
/** Lengths that are tried, with what undoes it and then without. */
const noticeLengths = [1_000, 300];
/** Fields that the confirmation adds; all others are what is confirmed. */
const added: ReadonlySet<string> = new Set(['seal', 'back', 'note', 'typed']);

interface ActionParts {
  readonly sessions: Sessions;
  readonly access: PageAccess;
  readonly requestOf: (request: FastifyRequest) => PageRequest;
  readonly sendPage: (request: FastifyRequest, reply: FastifyReply, page: Page) => FastifyReply;
}

export function actionRoute(app: FastifyInstance, { sessions, access, requestOf, sendPage }: ActionParts): void {
  app.post(
    '/do/:action',
    { config: { rateLimit: { max: actionsAMinute, timeWindow: 60_000 } } },
    async (request, reply) => {
      const { action: name } = request.params as { readonly action: string };
      const action: Action | undefined = Object.hasOwn(actions, name) ? actions[name] : undefined;
      if (action === undefined) throw new RotaError('NOT_FOUND', `there is no action ${excerpt(name)}`);
      const session = request.session!;
      // The commands check it too: here a reader learns it before anything is asked.
      if (session.access !== 'operate') throw new RotaError('FORBIDDEN', 'this session may look and change nothing');
      const form = formOf(request);
      const asked = requestOf(request);
      const back = backOf(form);
      try {
        const isConfirmed = sessions.useSeal(session, sealedText(name, form), field(form, 'seal'));
        const holds = isConfirmed && ((await action.holds?.(form, asked)) ?? true);
        if (action.confirm !== null && !holds) {
          const confirmation = await action.confirm(form, asked);
          if (confirmation !== null) {
            const { typed = '', facts = {} } = confirmation;
            const seal = sessions.seal(session, sealedText(name, { ...form, ...facts, typed }));
            // What was typed was right for what was asked before.
            const shown = { ...form, ...facts, ...(isConfirmed ? { typed: '' } : {}) };
            return sendPage(request, reply, confirmationPage(name, shown, confirmation, seal));
          }
        }
        const { says, undo, to = back } = await action.run(form, asked);
        return leave(reply, session, { level: 'good', says, ...(undo === undefined ? {} : { undo }) }, to);
      } catch (error) {
        if (codeOf(error) === 'BROKEN') throw error;
        return leave(reply, session, { level: 'bad', says: failureOf(error).message }, back);
      }
    },
  );

  function leave(reply: FastifyReply, session: Session, notice: Notice, to: string): FastifyReply {
    const options = {
      path: '/',
      httpOnly: true,
      sameSite: 'lax',
      secure: isSecure(access),
      maxAge: noticeSeconds,
    } as const;
    const { undo: _undo, ...without } = notice;
    const values = [notice, without].flatMap((one) =>
      noticeLengths.map((most) => cookieOf(sessions, session, { ...one, says: excerpt(oneLine(one.says), most) })),
    );
    const value = values.find(({ length }) => length <= longestCookie);
    if (value !== undefined) reply.setCookie(cookieName(access, 'notice'), value, options);
    return reply.redirect(isOurPath(to) ? to : '/', 303);
  }
}

function cookieOf(sessions: Sessions, session: Session, notice: Notice): string {
  const text = JSON.stringify(notice);
  return Buffer.from(JSON.stringify([text, sessions.seal(session, text)])).toString('base64url');
}

/** What the last action of this session said, once. */
export function takeNotice(
  request: FastifyRequest,
  reply: FastifyReply,
  sessions: Sessions,
  access: PageAccess,
): Notice | null {
  const noticeCookie = cookieName(access, 'notice');
  const given = request.cookies[noticeCookie];
  if (given === undefined || request.session === null) return null;
  reply.clearCookie(noticeCookie, { path: '/', secure: isSecure(access) });
  try {
    const [text, seal] = JSON.parse(Buffer.from(given, 'base64url').toString()) as readonly [string, string];
    return sessions.isSealed(request.session, text, seal) ? (JSON.parse(text) as Notice) : null;
  } catch {
    return null;
  }
}

/** What was typed is part of it: a seal over what must be typed fits nothing else. */
function sealedText(action: string, form: Form): string {
  const confirmed = Object.entries(form).filter(([name]) => !added.has(name));
  return JSON.stringify([action, confirmed, field(form, 'typed')]);
}

function confirmationPage(action: string, form: Form, confirmation: Confirmation, seal: string): Page {
  const { title, effects, button, note = false, typed } = confirmation;
  const missed = typed !== undefined && field(form, 'typed') !== '';
  const confirmed = Object.fromEntries(Object.entries(form).filter(([name]) => !added.has(name)));
  if (button === null)
    return {
      title,
      sections: {
        confirm: html`${effects}
          <p><a href="${backOf(form)}">Back</a></p>`,
      },
    };
  const asked: Html = html`${effects}
    <form method="post" action="/do/${action}">
      ${hiddenFields({ ...confirmed, back: backOf(form), seal })}
      ${
        note &&
        html`<p>
          <label
            >Why (for others) <input name="note" maxlength="500" value="${field(form, 'note')}" autocomplete="off"
          /></label>
        </p>`
      }
      ${
        typed !== undefined &&
        html`<p>
          <label>Type <code>${typed}</code> <input name="typed" required autocomplete="off" /></label>
          ${missed && state('bad', 'that was something else')}
        </p>`
      }
      <p class="acts"><button class="danger">${button}</button> <a href="${backOf(form)}">Leave it</a></p>
    </form>`;
  return { title, sections: { confirm: asked } };
}
