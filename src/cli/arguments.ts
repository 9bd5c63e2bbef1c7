import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { InvalidArgumentError } from 'commander';
import { RotaError } from '../errors.ts';

export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} up` : `from ${least} to ${most}`;
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`expected a whole number ${range}.`);
    return value;
  };
}

/** A parser whose `choices` completion offers. */
export interface ChoiceOf<T extends string> {
  (text: string): T;
  readonly choices: readonly T[];
}

export function oneOf<T extends string>(choices: readonly T[]): ChoiceOf<T> {
  const parse = (text: string) => {
    if (!choices.includes(text as T)) throw new InvalidArgumentError(`expected one of ${choices.join(', ')}.`);
    return text as T;
  };
  return Object.assign(parse, { choices });
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `90s`, `15m`, `6h` or `7d`, in seconds. */
export function duration(text: string): number {
  const [, amount, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (amount === undefined) throw new InvalidArgumentError('expected a duration such as 90s, 15m, 6h or 7d.');
  return Number(amount) * units[unit!]!;
}

/** `1/s`, `30/m`, `1/5m`. */
export function rate(text: string): { readonly tasks: number; readonly seconds: number } {
  const [, tasks, every] = /^(\d+)\/(\d*[smhd])$/.exec(text) ?? [];
  if (tasks === undefined || Number(tasks) < 1)
    throw new InvalidArgumentError('expected tasks and a duration, such as 1/s, 30/m or 1/5m; at least one task.');
  return { tasks: Number(tasks), seconds: duration(/^\d/.test(every!) ? every! : `1${every}`) };
}

/** `2026-11-24`, or `2026-11-24T12:00Z` with seconds or without, as a timestamp of UTC. */
export function timestamp(text: string): string {
  const [, date, time = '00:00'] = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)Z)?$/.exec(text) ?? [];
  const value = `${date}T${time.length === 5 ? `${time}:00` : time}Z`;
  // The 31st of February would be a day in March.
  const ms = date === undefined ? Number.NaN : Date.parse(value);
  if (Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(date!) || date!.startsWith('0000'))
    throw new InvalidArgumentError('expected a time of UTC such as 2026-11-24 or 2026-11-24T12:00Z.');
  return value;
}

export function json(text: string): unknown {
  const value = jsonOrUndefined(text);
  if (value === undefined) throw new InvalidArgumentError('expected JSON.');
  return value;
}

/** The content of a file; of stdin for `-`. */
export async function readInput(file: string): Promise<string> {
  if (file === '-') return textOf(process.stdin);
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new RotaError('NOT_FOUND', `${file} cannot be read (${error.code})`);
  });
}

/** Undefined for text that is not JSON. */
export function jsonOrUndefined(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

export function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('expected a port, 0 to 65535');
  return value;
}
