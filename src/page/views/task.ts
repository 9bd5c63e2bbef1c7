import { z } from 'zod';
import { accepts } from '../../control/task-actions.ts';
import { age, errorText, failuresOf, moment, subjectOf } from '../../control/wording.ts';
import { RotaError } from '../../errors.ts';
import type { StartEstimate, TaskAction, TaskView } from '../../protocol/operator-lists.ts';
import { withoutSecrets } from '../../tasks/secrets.ts';
import { isFinished } from '../../tasks/task.ts';
import { address, foreign, type Html, html, type Value } from '../html.ts';
import { type Page, type PageRequest, parametersOf } from '../page.ts';
import { actionButton, figure, perSecond, sectionOf, state, timeOf } from '../pieces.ts';
import { statusOf } from '../task-rows.ts';
import { attempts, linesOf, times } from './task-attempts.ts';

const parameters = z.object({ id: z.uuid() });
/** An estimate counts up to 100 000 rows: one that is looked at all the time is asked for this often. */
const startSeconds = 10;
const longestData = 20_000;
const liveMs = { unfinished: 2_000, finished: 10_000 };

/** `/tasks/:id`: how it is and why, its attempts, where it stands in the queue, and what it is about. */
export async function task(request: PageRequest): Promise<Page> {
  const { id } = parametersOf(parameters, request.params);
  const { operators, now, access, at } = request;
  const { results } = await operators.ask('task-details', { ids: [id] });
  const [shown] = results;
  if (shown === undefined)
    throw new RotaError('NOT_FOUND', `there is no task ${id}: tasks that ended are kept for SCHEDULER_RETENTION_DAYS`);
  const where =
    shown.queue === null ? {} : { where: await sectionOf('In the queue', () => placeOf(request, shown, shown.queue!)) };
  return {
    title: `Task ${id}`,
    sections: {
      verdict: verdict(shown, now),
      acts: acts(shown, access, at),
      times: html`<h2>Times</h2>
        ${times(shown, now)}`,
      ...where,
      attempts: html`<h2>Attempts</h2>
        ${attempts(shown, now)}`,
      facts: html`<h2>Facts</h2>
        ${facts(shown, now)}`,
      data: html`<h2>Data</h2>
        ${dataOf(shown)}`,
    },
    command: ['rota', 'tasks', 'show', id],
    liveMs: isFinished(shown.status) ? liveMs.finished : liveMs.unfinished,
  };
}

function verdict(shown: TaskView, now: number): Html {
  const { data, organisation, streak } = shown;
  const { plugin, ooi } = subjectOf(data);
  return html`<p class="verdict" data-say>${statusOf(shown.status)} ${words(shown, now)}</p>
    <p>
      <strong>${foreign(plugin)}</strong> on ${foreign(ooi)} ·
      <a href="/organisations/${encodeURIComponent(organisation)}">${foreign(organisation)}</a>
    </p>
    ${streak !== null && streak.failures > 1 && html`<p>${state('warn', 'Its kind fails:')} ${failuresOf(streak)}</p>`}`;
}

function words(shown: TaskView, now: number): Value {
  const { status, error, reason, worker, changed, queue, lease, started_at: began } = shown;
  const why = error === null ? reason : errorText(error);
  const until = lease === null ? null : html`; its lease ends ${timeOf(lease.until, now)}`;
  switch (status) {
    case 'pending':
      return '· it is not in the queue yet';
    case 'queued':
      return queue?.held === true ? '· held by a pause' : '· it waits for its turn';
    case 'dispatched':
      return html`to ${foreign(worker)}, which has not begun${until}`;
    case 'running':
      return html`on ${foreign(worker)} since ${timeOf(began, now)}${until}`;
    case 'completed':
      return `in its ${ordinal(numberOf(shown))} attempt`;
    case 'failed':
      return html`in its ${ordinal(numberOf(shown))} attempt: ${foreign(why ?? 'its worker gave no reason')}`;
    case 'cancelled':
      return changed === null
        ? foreign(why)
        : html`by ${foreign(changed.by)}${changed.why !== undefined && html`: ${foreign(changed.why)}`}`;
  }
}

/** Those that did not complete are remembered to the tenth. */
function numberOf({ attempts_before: before }: TaskView): number {
  return before.length + 1;
}

function ordinal(number: number): string {
  if (number > 10) return 'last (after ten or more)';
  return `${number}${['th', 'st', 'nd', 'rd'][number] ?? 'th'}`;
}

function acts({ id, status, schedule_id: schedule }: TaskView, access: PageRequest['access'], at: string): Html {
  const button = (action: TaskAction, label: string) =>
    accepts(action, status) && actionButton(access, action, label, { ids: id }, at);
  return html`<div class="acts">
    ${button('retry', 'Retry')} ${button('cancel', 'Cancel')} ${button('release', 'Release')}
    <a href="${address('/why', { id })}">Why?</a>
    ${schedule !== null && html`<a href="${address('/why', { id: schedule })}">When again? Its schedule</a>`}
  </div>`;
}

async function placeOf(
  { operators, now }: PageRequest,
  shown: TaskView,
  { held, ahead, ahead_is_least: least }: NonNullable<TaskView['queue']>,
): Promise<Html> {
  if (held)
    return html`<p>
      ${state('warn', 'held')} by a pause: <a href="${address('/why', { id: shown.id })}">by whom, and why</a>
    </p>`;
  const start = await operators.ask('task-start', { id: shown.id, max_age_seconds: startSeconds });
  return html`<dl>
    <dt>before it</dt>
    <dd>${least && 'at least '}${figure(ahead)} ${ahead === 1 ? 'task' : 'tasks'}${ahead === 0 && ': it is next'}</dd>
    <dt>starts</dt>
    <dd>${startOf(start, now)}</dd>
    ${
      start.per_second !== null &&
      html`<dt>handed out</dt>
        <dd>
          ${perSecond(start.per_second)}${start.among === 'image' && html` of its image ${foreign(start.image)}`}, over
          ${age(start.over_seconds)}
        </dd>`
    }
    <dt>last asked for</dt>
    <dd>${timeOf(start.asked_at, now)}${start.asked_at === null && ' not within a week'}</dd>
  </dl>`;
}

const unknownStarts: Readonly<Record<NonNullable<StartEstimate['unknown']>, string>> = {
  'not-queued': 'it has just left the queue',
  held: 'never, while a pause holds it',
  limited: 'a limit holds it, whose pace is not known',
  'nobody-asks': 'nobody asks for it any more: do its workers run?',
  'none-handed-out': 'it cannot be told: nothing was handed out in the last minutes',
};

function startOf({ estimated_start_at: at, unknown, before_is_least: least }: StartEstimate, now: number): Html {
  if (at === null) return state('warn', unknownStarts[unknown ?? 'none-handed-out']);
  return html`${least ? 'later than' : 'about'} ${timeOf(at, now)} (${moment(at)}), if workers go on as in the last
  minutes`;
}

function facts(shown: TaskView, now: number): Html {
  const {
    changed,
    schedule_id: schedule,
    hash,
    priority,
    scheduler_id: scheduler,
    organisation,
    data,
    unbegun,
  } = shown;
  const { plugin, ooi } = subjectOf(data);
  const same = address('/tasks', { scheduler, organisation, plugin, ooi });
  return html`<dl>
    ${
      changed !== null &&
      html`<dt>${{ cancel: 'cancelled', retry: 'retried', release: 'released', fail: 'failed' }[changed.action]} by</dt>
        <dd>
          ${foreign(changed.by)},
          ${timeOf(changed.at, now)}${changed.why !== undefined && html`: “${foreign(changed.why)}”`}
        </dd>`
    }
    <dt>scheduler</dt>
    <dd><a href="${address('/tasks', { scheduler })}">${foreign(scheduler)}</a></dd>
    <dt>priority</dt>
    <dd>${priority}</dd>
    ${
      unbegun > 0 &&
      html`<dt>not begun</dt>
        <dd>${unbegun} times: the worker that took it was not heard again</dd>`
    }
    <dt>schedule</dt>
    <dd>
      ${schedule === null ? 'none: it does not come again by itself' : html`<a href="${address('/why', { id: schedule })}">${schedule}</a>`}
    </dd>
    <dt>hash</dt>
    <dd><code>${hash ?? '–'}</code></dd>
    <dt>the same work</dt>
    <dd><a href="${same}">its other tasks</a></dd>
  </dl>`;
}

/** Indented, without secrets. */
function dataOf({ data, type, status, error, reason }: TaskView): Html {
  const text = JSON.stringify(withoutSecrets(data), null, 2);
  const note =
    status === 'failed' && type === 'boefje' && error === null && reason === null
      ? html`<p class="soft">KAT’s own runners send no error text: what they printed is a raw file in Bytes.</p>`
      : null;
  return html`${note}${linesOf(text.slice(0, longestData).toWellFormed())}
  ${text.length > longestData && html`<p class="soft">The first ${figure(longestData)} of ${figure(text.length)} characters.</p>`}`;
}
