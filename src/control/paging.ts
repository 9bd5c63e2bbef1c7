import { z } from 'zod';
import type { ListPage } from '../protocol/operator-lists.ts';
import { keyOf, type KeysetPage } from '../queue/lists/keyset.ts';
import { shortText } from '../tasks/limits.ts';

const cursorText =
  /^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z|none)_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Postgres stores no NUL, so nothing could match. */
export function listedText(bytes: number): z.ZodString {
  return shortText(bytes).refine((text) => !text.includes('\0'), { message: 'no NUL' });
}

/** `next` of an answer. */
export const cursor = z
  .string()
  .refine((text) => cursorText.test(text) && isMoment(keyOf(text).at), 'expected `next` of an earlier answer')
  .transform(keyOf);

/** With a zone, so that there is no doubt about it. */
export const timestamp = z.iso
  .datetime({ offset: true, error: 'expected a time such as 2026-11-24T12:00:00Z' })
  .refine((text) => !text.startsWith('0000'), 'expected a time such as 2026-11-24T12:00:00Z');

/** The 31st of February is none; Postgres knows no year 0. */
function isMoment(text: string | null): boolean {
  if (text === null) return true;
  const ms = Date.parse(`${text.slice(0, 19)}Z`);
  return !Number.isNaN(ms) && !text.startsWith('0000') && new Date(ms).toISOString().startsWith(text.slice(0, 19));
}

/** @param now epoch milliseconds, by the database's clock */
export function listPage<T>(page: KeysetPage, results: readonly T[], now: number): ListPage<T> {
  const { count, countIsLeast, next, lookedAt } = page;
  return {
    count,
    count_is_least: countIsLeast,
    results,
    next,
    searched_to: lookedAt === null || next === null ? null : keyOf(next).at,
    looked_at: lookedAt,
    at: new Date(now).toISOString(),
  };
}
