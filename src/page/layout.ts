import type { Access } from '../control/operator-command.ts';
import { each, type Html, html, type Value } from './html.ts';
import type { Notice, Page } from './page.ts';
import { actionButton, hiddenFields, state } from './pieces.ts';

/** What the frame of every page shows. */
export interface Frame {
  /** Folder of the browser's files, with a hash in it. */
  readonly assets: string;
  readonly place: string;
  readonly path: string;
  /** Path and query: what is looked at again while the page is on a screen. */
  readonly at: string;
  readonly who: { readonly name: string; readonly access: Access } | null;
  /** Whether this session may end; one without tokens has no log-in. */
  readonly mayLogOut: boolean;
  readonly theme: 'auto' | 'light' | 'dark';
  readonly wall: boolean;
  readonly now: number;
  readonly notice: Notice | null;
  /** Bulk jobs that run, in a sentence each. */
  readonly jobs: readonly { readonly id: string; readonly text: string }[];
}

const pages = [
  ['/', 'Overview', 'o'],
  ['/why', 'Why', 'w'],
  ['/tasks', 'Tasks', 't'],
  ['/organisations', 'Organisations', 'n'],
  ['/schedules', 'Schedules', 's'],
  ['/machinery', 'Machinery', 'm'],
] as const;

export function documentOf(page: Page, frame: Frame): Html {
  const { assets, place, who, wall } = frame;
  return html`<!doctype html>
    <html lang="en" data-theme="${frame.theme}" class="${wall && 'wall'}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${page.title} · Rota</title>
        <link rel="stylesheet" href="${assets}/page.css" />
        <link rel="icon" href="${assets}/icon.svg" type="image/svg+xml" />
        <script defer src="${assets}/idiomorph.js"></script>
        <script type="module" src="${assets}/live.js"></script>
        <script type="module" src="${assets}/keys.js"></script>
      </head>
      <body data-now="${frame.now}">
        <a class="skip" href="#main">To the content</a>
        ${
          !wall &&
          html`<header>
              <a class="brand" href="/"><strong>Rota</strong> <span>${place}</span></a>
              <form role="search" action="/search">
                <input
                  type="search"
                  name="q"
                  aria-label="Find a task, OOI, boefje or organisation"
                  placeholder="find a task, OOI, boefje, organisation"
                  maxlength="2048"
                  accesskey="/"
                />
              </form>
              ${freshOf(frame)} ${account(frame)}
            </header>
            <nav aria-label="Pages">
              <ul>
                ${each(pages, ([path, name, key]) => html`<li><a href="${path}" data-key="${key}" ${isCurrent(path, frame.path) && html`aria-current="page"`}>${name}</a></li>`)}
              </ul>
            </nav>`
        }
        <main id="main" tabindex="-1">
          ${frame.notice !== null && noticeOf(frame.notice, frame.at)}
          ${
            frame.jobs.length > 0 &&
            html`<ul class="jobs" aria-label="Bulk jobs">
              ${each(frame.jobs, (job) => html`<li>${job.text} <a href="/jobs/${job.id}">Look</a></li>`)}
            </ul>`
          }
          ${wall && freshOf(frame)}
          <h1>${page.title}</h1>
          <div id="live" data-live-at="${page.liveMs !== undefined && (page.liveAt ?? frame.at)}">
            ${sectionsOf(page.sections)}
          </div>
          ${page.command !== undefined && html`<p class="command">The same in a terminal: <code>${page.command.map(quoted).join(' ')}</code></p>`}
        </main>
        <p class="sr" id="verdict-said" role="status" aria-live="polite"></p>
        ${who?.access === 'read' && !wall && html`<footer>This session may look and change nothing.</footer>`}
      </body>
    </html>`;
}

/** When what is shown was so; a screen on a wall needs it more than any. */
function freshOf({ now }: Frame): Html {
  return html`<p class="fresh" id="fresh">
    <span class="dot" aria-hidden="true"></span>
    <span data-fresh>${new Date(now).toISOString().slice(11, 19)} UTC</span>
  </p>`;
}

function noticeOf({ level, says, undo }: Notice, back: string): Html {
  return html`<div class="notice ${level} acts" role="status">
    ${state(level, says)}
    ${undo !== undefined && actionButton('operate', undo.action, undo.label ?? 'Undo', undo.fields, back)}
  </div>`;
}

/** Each in an element of its own, which live updates replace where it changed. */
export function sectionsOf(sections: Page['sections']): readonly Html[] {
  return Object.entries(sections).map(([id, content]) => html`<section id="${id}">${content}</section>`);
}

function account({ who, mayLogOut, theme, at }: Frame): Html {
  const next = { auto: 'light', light: 'dark', dark: 'auto' }[theme];
  return html`<div class="account">
    <span>${who === null ? 'nobody' : `${who.name} · ${who.access}`}</span>
    <form method="post" action="/theme">
      ${hiddenFields({ theme: next, back: at })}<button
        title="Theme: ${theme}; next: ${next}"
        aria-label="Theme: ${theme}; change to ${next}"
      >
        ◐
      </button>
    </form>
    ${mayLogOut && html`<form method="post" action="/logout"><button>Log out</button></form>`}
  </div>`;
}

function isCurrent(path: string, of: string): boolean {
  return path === '/' ? of === '/' : of === path || of.startsWith(`${path}/`);
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A page without session, search and pages: the log-in, and errors before there is one. */
export function plainDocument(assets: string, title: string, content: Value): Html {
  return html`<!doctype html>
    <html lang="en" data-theme="auto">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Rota</title>
        <link rel="stylesheet" href="${assets}/page.css" />
      </head>
      <body class="plain">
        <main id="main">
          <h1>${title}</h1>
          ${content}
        </main>
      </body>
    </html>`;
}
