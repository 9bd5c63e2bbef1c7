import type { Access } from '../control/operator-command.ts';
import { within } from '../deadline.ts';
import { codeOf } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import { excerpt } from '../printable.ts';
import { emit } from '../telemetry/events.ts';
import { age, moment, rateOf, whenOf } from '../control/wording.ts';
import { each, type Html, html, type Value } from './html.ts';

/** Pieces that all views are made of: tables, times, figures, bars. */

/** A table with its caption; `none` says why it is empty and what would fill it. */
export function tableOf(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly Value[])[],
  { none, keys }: { readonly none: Value; readonly keys?: readonly string[] },
): Html {
  if (rows.length === 0) return html`<p class="empty">${none}</p>`;
  return html`<div class="scroll">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${each(head, (title) => html`<th scope="col">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row, at) =>
            html`<tr id="${keys?.[at] ?? `row-${at}`}">
              ${row.map((cell) => html`<td>${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** `4m 2s ago` or `in 3h 1m`, which the browser counts on; its title is the moment in UTC. */
export function timeOf(timestamp: string | null, now: number): Html {
  if (timestamp === null) return html`<span class="none">–</span>`;
  return html`<time datetime="${timestamp}" title="${moment(timestamp)}">${whenOf(timestamp, now)}</time>`;
}

export function secondsOf(seconds: number | null): Html {
  return seconds === null ? html`<span class="none">–</span>` : html`${age(seconds)}`;
}

export function perSecond(rate: number | null): Html {
  return rate === null || rate === 0 ? html`<span class="none">–</span>` : html`${rateOf(rate)}`;
}

/** `1.02 M`, with the exact figure as title. */
export function figure(count: number | null, isLeast = false): Html {
  if (count === null) return html`<span class="none">–</span>`;
  const exact = `${count.toLocaleString('en')}${isLeast ? ' at least' : ''}`;
  return html`<data value="${count}" title="${exact}">${shortFigure(count)}${isLeast && '+'}</data>`;
}

/** Three digits from ten thousand up. */
export function shortFigure(count: number): string {
  const units: readonly (readonly [number, string])[] = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ];
  if (Math.abs(count) < 1e4) return count.toLocaleString('en');
  // 999 500 is 1.00 M, not 1000 k.
  const rounded = Number(count.toPrecision(3));
  const [unit, letter] = units.find(([least]) => Math.abs(rounded) >= least)!;
  const scaled = rounded / unit;
  return `${Math.abs(scaled) >= 100 ? scaled : scaled.toPrecision(3)} ${letter}`;
}

/** A word with its sign: never a colour or a sign alone. */
export function state(level: 'good' | 'bad' | 'warn' | 'idle' | 'busy', word: string): Html {
  const sign = { good: '✔', bad: '✖', warn: '!', idle: '·', busy: '▸' }[level];
  return html`<span class="state ${level}"><span aria-hidden="true">${sign}</span> ${word}</span>`;
}

/** Of a part of the page: the database bounds its own answers, and the page comes without those that are late. */
const sectionWithinMs = 3_000;

/** A part of the page: the rest stands where it fails, or is late. */
export async function sectionOf(
  title: string,
  content: Promise<Html> | (() => Promise<Html>),
  withinMs = sectionWithinMs,
): Promise<Html> {
  const work = Promise.try(() => (typeof content === 'function' ? content() : content));
  const shown = await within(work, withinMs, 'ASK_TIMEOUT').catch((error: unknown) => {
    const isBroken = codeOf(error) === 'BROKEN';
    // Its text is for the log: it may quote anything.
    if (isBroken) emit({ name: 'error.uncaught', kind: 'rejection', error });
    const says = isBroken ? 'a fault in the page itself: its log has it' : excerpt(failureOf(error).message, 300);
    return html`<p class="failed" role="alert">${state('bad', says)} <a href="">Try again</a></p>`;
  });
  return html`<h2>${title}</h2>
    ${shown}`;
}

/** A button that does something (actions.ts); nothing at all for who may only look. `back`: the page that it stands on. */
export function actionButton(
  access: Access,
  action: string,
  label: string,
  fields: Readonly<Record<string, string | readonly string[] | null | undefined>>,
  back: string,
): Html {
  if (access !== 'operate') return html``;
  return html`<form method="post" action="/do/${action}">
    ${hiddenFields({ ...fields, back })}<button>${label}</button>
  </form>`;
}

/** Those that are null or undefined are left out. */
export function hiddenFields(
  fields: Readonly<Record<string, string | readonly string[] | null | undefined>>,
): readonly Html[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    const values = value === null || value === undefined ? [] : typeof value === 'string' ? [value] : value;
    return each(values, (one) => html`<input type="hidden" name="${name}" value="${one}" />`);
  });
}
