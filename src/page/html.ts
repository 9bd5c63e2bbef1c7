import { html as escaped } from 'hono/html';
import { excerpt, oneLine } from '../printable.ts';

/** HTML that this module made. Nothing turns a string into it: every text is escaped, and control characters are shown as such. */
export interface Html {
  readonly isEscaped: true;
  toString(): string;
}

/** Null, undefined and false are nothing at all, so that `condition && html…` can stand in a template. */
export type Value = string | number | null | undefined | false | Html | readonly Html[];

/** A template that escapes its values. Attributes stand in double quotes. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  const shown = values.map((value) => (typeof value === 'string' ? oneLine(value) : value));
  // It answers a promise for values that are promises alone, and Value has none.
  return escaped(strings, ...shown) as unknown as Html;
}

/** The value of a hidden field: escaped, and otherwise as it is, since it comes back with the form. */
export function hiddenValue(text: string): Html {
  return escaped`${text}` as unknown as Html;
}

/** `values` in a template each, one after the other. */
export function each<T>(values: readonly T[], template: (value: T, at: number) => Html): readonly Html[] {
  return values.map(template);
}

/** A cell or a line has room for so much of a foreign text; the whole stands in its title. */
const mostShown = 300;

/** A text from outside (OOI, error, name of a worker): isolated, so that its direction turns nothing around it, and cut. */
export function foreign(text: string | null | undefined): Html {
  if (text === null || text === undefined || text === '') return html`<span class="none">–</span>`;
  const short = excerpt(text, mostShown);
  return short === text ? html`<bdi>${text}</bdi>` : html`<bdi title="${excerpt(text, 4_000)}">${short}</bdi>`;
}

/** An address with its parameters; those that are undefined, null or empty are left out. */
export function address(
  path: string,
  parameters: Readonly<Record<string, string | number | null | undefined>>,
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== '') query.set(name, String(value));
  }
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}
