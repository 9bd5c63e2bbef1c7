import { age, errorText, subjectOf } from '../control/wording.ts';
import type { TaskView } from '../protocol/operator-lists.ts';
import { isFinished, type TaskStatus } from '../tasks/task.ts';
import { address, foreign, type Html, html, type Value } from './html.ts';
import { state, timeOf } from './pieces.ts';

const levels = {
  pending: 'idle',
  queued: 'idle',
  dispatched: 'busy',
  running: 'busy',
  completed: 'good',
  failed: 'bad',
  cancelled: 'warn',
} as const satisfies Record<TaskStatus, string>;

export function statusOf(status: TaskStatus): Html {
  return state(levels[status], status);
}

export const taskHead = ['Status', 'Plug-in', 'OOI', 'Organisation', 'Made', 'At work', 'Worker', 'Why'];

/** A task as a row of a list: the error of a failed one in a second line. */
export function taskRow(task: TaskView, now: number): readonly Value[] {
  const { id, status, organisation, data, created_at: made, worker, queue } = task;
  const { plugin, ooi } = subjectOf(data);
  const trouble = troubleOf(task);
  return [
    html`${statusOf(status)}${queue?.held === true && html` <span class="soft">held</span>`}`,
    html`<span class="name">${foreign(plugin)}</span>`,
    html`<a class="clamped" href="/tasks/${id}">${ooi === null ? 'without an OOI' : foreign(ooi)}</a>
      ${trouble !== null && html`<div class="trouble clamped">${foreign(trouble)}</div>`}`,
    html`<a href="/organisations/${encodeURIComponent(organisation)}">${foreign(organisation)}</a>`,
    timeOf(made, now),
    workOf(task, now),
    html`<span class="name">${foreign(worker)}</span>`,
    html`<a href="${address('/why', { id })}">why?</a>`,
  ];
}

/** Why it failed or was cancelled, and how often its kind has failed in a row. */
function troubleOf({ status, error, reason, streak }: TaskView): string | null {
  if (status !== 'failed' && status !== 'cancelled') return null;
  const why =
    error === null ? (reason ?? (status === 'failed' ? 'its worker gave no reason' : null)) : errorText(error);
  if (why === null || streak === null || streak.failures < 2) return why;
  return `${why} · ${streak.failures}${streak.bounded ? '+' : ''} failures in a row`;
}

/** Since it began, or from then to its end; the browser counts on what goes on. */
export function workOf(
  { status, started_at: began, ended_at: ended, claimed_at: claimed }: TaskView,
  now: number,
): Html {
  const from = began ?? (isFinished(status) ? claimed : null);
  if (status === 'running' && began !== null) return html`since ${timeOf(began, now)}`;
  if (status === 'dispatched') return html`<span class="soft">not begun</span>`;
  if (from === null || ended === null) return html`<span class="none">–</span>`;
  return html`${age((Date.parse(ended) - Date.parse(from)) / 1_000)}`;
}
