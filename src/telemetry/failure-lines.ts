import { isOutage } from '../errors.ts';

/** At most so often as a warning: pushes come by the thousand a second, and each may meet the same refusal. */
const everyMs = 60_000;

/**
 * What becomes of a line that tells of a failure (its field `err` or `failure`): at debug for what is away, since
 * outages.ts tells of that once for all; else the first at once, then one a minute of the same words, with how many there
 * were. A bug is always told.
 */
export function createFailureLines(now: () => number = () => performance.now()) {
  const told = new Map<string, { at: number; count: number }>();
  /** @returns the fields to add, or null where the line goes to debug. */
  return (fields: unknown, message: unknown): Readonly<Record<string, unknown>> | null => {
    const { err, failure = err } = (fields ?? {}) as { err?: unknown; failure?: unknown };
    if (failure === undefined) return {};
    if (isOutage(failure)) return null;
    const { code } = failure as { code?: unknown };
    if (typeof code !== 'string' || code === 'BROKEN') return {};
    const key = `${String(message)} ${code}`;
    const last = told.get(key);
    if (last !== undefined && now() - last.at < everyMs) {
      last.count += 1;
      return null;
    }
    told.set(key, { at: now(), count: 0 });
    return last === undefined || last.count === 0 ? {} : { count: last.count + 1 };
  };
}
