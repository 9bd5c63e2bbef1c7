import type { PauseView } from '../protocol/operator.ts';
import type { StreakView } from '../protocol/operator-lists.ts';
import type { TaskData, TaskError, TaskHistory } from '../tasks/task.ts';

/** How the terminal and the page word facts, so that both say the same. */

/** `42s`, `3m 20s`, `5h 2m`, `9d 4h`. */
export function age(seconds: number | null): string {
  if (seconds === null) return '-';
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)}h ${Math.floor((whole % 3_600) / 60)}m`;
  return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3_600)}h`;
}

export function ageOf(timestamp: string | null, now = Date.now()): string {
  return timestamp === null ? '-' : age((now - Date.parse(timestamp)) / 1_000);
}

/** `in 5m 2s`, or `12s ago`. */
export function whenOf(timestamp: string | null, now = Date.now()): string {
  if (timestamp === null) return '-';
  const seconds = (Date.parse(timestamp) - now) / 1_000;
  return seconds >= 0 ? `in ${age(seconds)}` : `${age(-seconds)} ago`;
}

/** When a pop last asked; only pops of a week are kept, and of an image those among its scheduler's last hundred. */
export function lastAsked(at: string | null, now?: number): string {
  return at === null ? 'not within a week' : whenOf(at, now);
}

/** How many failures in a row: `4`, or `10+` where more were not read; null without any. */
export function countOf(streak: StreakView | null): string | null {
  return streak === null ? null : `${streak.failures}${streak.bounded ? '+' : ''}`;
}

export function failuresOf(streak: StreakView | null): string | null {
  return streak === null ? null : `${countOf(streak)} in a row since ${moment(streak.since)}`;
}

/** `7.2/s`, `3.0/min`, `1.5/h`. */
export function rateOf(perSecond: number): string {
  if (perSecond >= 1) return `${perSecond.toFixed(1)}/s`;
  return perSecond * 60 >= 1 ? `${(perSecond * 60).toFixed(1)}/min` : `${(perSecond * 3_600).toFixed(1)}/h`;
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MB`;
}

/** `2026-03-02 12:00:00 UTC`, from a timestamp of any zone; it names UTC because a reader's clock seldom is. */
export function moment(timestamp: string | null): string {
  return timestamp === null ? '-' : `${new Date(timestamp).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** The subject of a task or schedule, two cells: plug-in (or report recipe) and OOI. Stored data may have any shape. */
export function subjectOf(data: TaskData): { readonly plugin: string | null; readonly ooi: string | null } {
  const at = (...path: readonly string[]): string | null => {
    let value: unknown = data;
    for (const key of path) value = typeof value === 'object' && value !== null ? (value as TaskData)[key] : undefined;
    return typeof value === 'string' && value !== '' ? value : null;
  };
  return {
    plugin: at('boefje', 'id') ?? at('normalizer', 'id') ?? at('report_recipe_id'),
    ooi: at('input_ooi') ?? at('raw_data', 'boefje_meta', 'input_ooi'),
  };
}

type Attempt = { readonly started_at?: string | null; readonly ended_at: string | null };

/** From the patch to running to the end. */
export function tookOf({ started_at: from, ended_at: until }: Attempt): string {
  if (from == null || until === null) return '';
  return `, after ${((Date.parse(until) - Date.parse(from)) / 1_000).toFixed(1)} s`;
}

export function errorText({ code, message }: TaskError): string {
  return code === undefined ? message : `${code}: ${message}`;
}

export function attemptText(attempt: TaskHistory['attempts_before'][number]): string {
  const { outcome, worker, ended_at: ended, error } = attempt;
  const what = `${outcome}${worker === undefined ? '' : ` by ${worker}`} at ${moment(ended)}${tookOf(attempt)}`;
  return error === undefined ? what : `${what} (${errorText(error)})`;
}

export function changedText({ action, by, why, at }: NonNullable<TaskHistory['changed']>): string {
  return `${by}: ${action} at ${moment(at)}${why === undefined ? '' : ` (${why})`}`;
}

/** `boefje, org-1, every boefje`: what a pause holds. */
export function pauseName({ scheduler, organisation, boefje }: PauseKey): string {
  return [scheduler, organisation ?? 'every organisation', boefje ?? 'every boefje'].join(', ');
}

interface PauseKey extends Pick<PauseView, 'scheduler'> {
  readonly organisation?: string | null | undefined;
  readonly boefje?: string | null | undefined;
}
