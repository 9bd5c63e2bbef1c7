/**
 * What pydantic makes of a text in its lax mode; null where it refuses it. mula reads its environment, query strings and
 * bodies so.
 */

const yes = new Set(['1', 'on', 't', 'true', 'y', 'yes']);
const no = new Set(['0', 'off', 'f', 'false', 'n', 'no']);

export function flagOf(text: string): boolean | null {
  const word = text.toLowerCase();
  return yes.has(word) ? true : no.has(word) ? false : null;
}

/** Underscores between digits, and a fraction of zeros. */
const wholeNumber = /^[+-]?\d+(?:_\d+)*(?:\.0*)?$/;

/** Beyond 2^53 it is rounded, as numbers are here. */
export function integerOf(text: string): number | null {
  const trimmed = text.trim();
  return wholeNumber.test(trimmed) ? Math.trunc(Number(trimmed.replaceAll('_', ''))) : null;
}

/** JavaScript alone reads `0x10`, and a text of spaces as 0. */
const inAnotherBase = /^[+-]?0[xob]/i;

export function decimalOf(text: string): number | null {
  const trimmed = text.trim().replaceAll(/(?<=\d)_(?=\d)/g, '');
  const value = trimmed === '' || inAnotherBase.test(trimmed) ? Number.NaN : Number(trimmed);
  return Number.isNaN(value) ? null : value;
}
