import type { Access } from '../control/operator-command.ts';
import { within } from '../deadline.ts';
import { codeOf } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import { excerpt } from '../printable.ts';
import { emit } from '../telemetry/events.ts';
import { age, moment, rateOf, whenOf } from '../control/wording.ts';
import { each, hiddenValue, type Html, html, type Value } from './html.ts';

/** Pieces that all views are made of: tables, times, figures, bars. */

/**
 * A table with its caption; `none` says why it is empty and what would fill it. Columns of figures alone stand right. `cards`: each row is a
 * card on a narrow screen, for tables that must be read whole.
 */
export function tableOf(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly Value[])[],
  { none, keys, cards = false }: { readonly none: Value; readonly keys?: readonly string[]; readonly cards?: boolean },
): Html {
  if (rows.length === 0) return html`<p class="empty">${none}</p>`;
  const classes = head.map((_title, column) => isOfFigures(rows, column) && 'n');
  // Named, so that it can be scrolled by keys.
  return html`<div class="scroll" role="group" aria-label="${caption}" tabindex="0">
    <table class="${cards && 'cards'}">
      <caption>
        <span>${caption}</span>
      </caption>
      <thead>
        <tr>
          ${head.map((title, column) => html`<th scope="col" class="${classes[column]}">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row, at) =>
            html`<tr ${keys !== undefined && html`id="${keys[at]}"`}>
              ${row.map((cell, column) => html`<td class="${classes[column]}" data-head="${head[column]}">${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Figures, also where there are none: the column stands as it is when they come. */
function isOfFigures(rows: readonly (readonly Value[])[], column: number): boolean {
  return rows.every((row) => typeof row[column] === 'number' || String(row[column]).startsWith('<data'));
}

const noFigure = html`<data value="" class="none">–</data>`;

/** `4m 2s ago` or `in 3h 1m`, which the browser counts on; its title is the moment in UTC. */
export function timeOf(timestamp: string | null, now: number): Html {
  if (timestamp === null) return html`<span class="none">–</span>`;
  return html`<time datetime="${timestamp}" title="${moment(timestamp)}">${whenOf(timestamp, now)}</time>`;
}

export function secondsOf(seconds: number | null): Html {
  return seconds === null ? noFigure : html`<data value="${Math.round(seconds)}">${age(seconds)}</data>`;
}

export function perSecond(rate: number | null): Html {
  return rate === null || rate === 0 ? noFigure : html`<data value="${rate}">${rateOf(rate)}</data>`;
}

/** Made once: `toLocaleString` finds its locale anew each time, the most of the page's own time in a profile of the Overview. */
const grouped = new Intl.NumberFormat('en');

/** `1.02 M`, with the exact figure as title. */
export function figure(count: number | null, isLeast = false): Html {
  if (count === null) return noFigure;
  const exact = `${grouped.format(count)}${isLeast ? ' at least' : ''}`;
  return html`<data value="${count}" title="${exact}">${shortFigure(count)}${isLeast && '+'}</data>`;
}

/** Three digits from ten thousand up. */
export function shortFigure(count: number): string {
  const units: readonly (readonly [number, string])[] = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ];
  if (Math.abs(count) < 1e4) return grouped.format(count);
  // 999 500 is 1.00 M, not 1000 k.
  const rounded = Number(count.toPrecision(3));
  const [unit, letter] = units.find(([least]) => Math.abs(rounded) >= least)!;
  const scaled = rounded / unit;
  return `${Math.abs(scaled) >= 100 ? scaled : scaled.toPrecision(3)} ${letter}`;
}

/** A part of a whole, as a bar and in per cent. */
export function shareOf(part: number, whole: number): Html {
  if (part <= 0 || whole <= 0) return html`<span class="none">–</span>`;
  return html`<span class="share"
    ><meter min="0" max="1" value="${Math.min(1, part / whole)}"></meter> ${percent(part / whole)}</span
  >`;
}

/** A part of a whole in per cent alone, as a figure. */
export function percentOf(part: number, whole: number): Html {
  return whole <= 0 ? noFigure : html`<data value="${part / whole}">${percent(part / whole)}</data>`;
}

/** `18 %`; below ten with a digit more. */
export function percent(share: number): string {
  const of = share * 100;
  return `${of >= 10 || of === 0 ? Math.round(of) : of >= 0.1 ? of.toFixed(1) : '< 0.1'} %`;
}

/** A word with its sign: never a colour or a sign alone. */
export function state(level: 'good' | 'bad' | 'warn' | 'idle' | 'busy', word: string): Html {
  const sign = { good: '✔', bad: '✖', warn: '!', idle: '·', busy: '▸' }[level];
  return html`<span class="state ${level}"><span aria-hidden="true">${sign}</span> ${word}</span>`;
}

/** Of each word of flowOf. */
export const flowLevels = {
  flows: 'good',
  idle: 'idle',
  'falls behind': 'warn',
  stands: 'bad',
  held: 'warn',
  unknown: 'bad',
} as const;

/** Of a part of the page: the database bounds its own answers, and the page comes without those that are late. */
const sectionWithinMs = 3_000;

/** A part of the page: the rest stands where it fails, or is late. */
export async function sectionOf(
  title: string,
  content: Promise<Html> | (() => Promise<Html>),
  withinMs = sectionWithinMs,
): Promise<Html> {
  const work = Promise.try(() => (typeof content === 'function' ? content() : content));
  const late = `no answer within ${withinMs / 1_000} s`;
  const shown = await within(work, withinMs, 'ASK_TIMEOUT', late).catch((error: unknown) => {
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
    return each(values, (one) => html`<input type="hidden" name="${name}" value="${hiddenValue(one)}" />`);
  });
}
