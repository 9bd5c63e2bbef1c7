import { Cron } from 'croner';

/**
 * mula's cron expressions (croniter), read by croner, in UTC. Exactly five or six fields, or a nickname that begins
 * with `@`: croner would also take ISO dates and seven fields. A sixth field is seconds and stands *last* in croniter
 * and first in croner. An expression that never runs (`0 0 31 2 *`) is invalid.
 */
export function nextRun(expression: string, after: Date): Date {
  const next = parse(expression).nextRun(after);
  if (next === null) throw new RangeError(`Invalid cron expression: ${expression}`);
  return next;
}

/** Whether `nextRun` would answer: never throws. */
export function isCron(expression: string): boolean {
  try {
    return parse(expression).nextRun(new Date()) !== null;
  } catch {
    return false;
  }
}

/** Why it cannot run; null where it can. */
export function cronFault(expression: string): string | null {
  return isCron(expression) ? null : `no cron that can run: ${JSON.stringify(expression)}`;
}

function parse(expression: string): Cron {
  const trimmed = expression.trim();
  const fields = trimmed.split(/\s+/);
  if (!trimmed.startsWith('@') && fields.length !== 5 && fields.length !== 6) {
    throw new RangeError(`Invalid cron expression: ${expression}`);
  }
  const seconds = fields.length === 6 ? fields.pop() : undefined;
  // `5/15` is croniter's short form of `5-59/15`, which croner refuses unless told to be sloppy.
  const pattern = seconds === undefined ? trimmed : [seconds, ...fields].join(' ');
  return new Cron(pattern, { timezone: 'UTC', sloppyRanges: true, paused: true });
}
