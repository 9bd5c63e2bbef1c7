import { z } from 'zod';
import { age } from '../../control/wording.ts';
import type { BulkJob } from '../bulk-jobs.ts';
import { foreign, type Html, html } from '../html.ts';
import { type Page, type PageRequest, parametersOf } from '../page.ts';
import { actionButton, figure, state, tableOf, timeOf } from '../pieces.ts';

const parameters = z.object({ id: z.uuid() });

/** `/jobs/:id`: how far a bulk job is, what it was refused, and a button that stops it. */
export async function job({ params, jobs, access, at, now }: PageRequest): Promise<Page> {
  const { id } = parametersOf(parameters, params);
  const shown = jobs.get(id);
  const runs = shown.state === 'runs';
  return {
    title: 'Bulk job',
    sections: {
      progress: html`<p class="verdict" data-say>${jobState(shown)} ${foreign(shown.title)}</p>
        <p>
          <progress max="${Math.max(1, shown.expected)}" value="${doneOf(shown)}">${progressOf(shown)}</progress>
          ${figure(doneOf(shown))} of ${figure(shown.expected, shown.expectedIsLeast)}
        </p>
        ${shown.trouble !== null && html`<p>${state(shown.state === 'failed' ? 'bad' : 'warn', 'Note')} ${foreign(shown.trouble)}</p>`}
        <div class="acts">
          ${runs && !shown.stopping && shown.goesOn === undefined && actionButton(access, 'stop-job', 'Stop', { job: id }, at)}
          <a href="${shown.list}">The tasks that it is about</a>
        </div>`,
      facts: facts(shown, now),
      refused: html`<h2>Refused</h2>
        ${refusedOf(shown)}`,
    },
    ...(runs ? { liveMs: 1_000 } : {}),
  };
}

/** `ops-1: Cancel tasks of org-7: 1,500 of 3,000, 50 %`, as the header of all pages says it. */
export function progressOf(shown: Pick<BulkJob, 'by' | 'title' | 'expected' | 'changed' | 'refusedCount'>): string {
  const done = doneOf(shown);
  const part = shown.expected === 0 ? 0 : Math.min(100, Math.floor((100 * done) / shown.expected));
  return `${shown.by}: ${shown.title}: ${count(done)} of ${count(shown.expected)}, ${part} %`;
}

function doneOf({ changed, refusedCount }: Pick<BulkJob, 'changed' | 'refusedCount'>): number {
  return changed + refusedCount;
}

function jobState({ state: is, stopping }: BulkJob): Html {
  if (is === 'runs') return state('busy', stopping ? 'stops after the step in hand:' : 'runs:');
  if (is === 'done') return state('good', 'done:');
  return is === 'stopped' ? state('warn', 'stopped:') : state('bad', 'gave up:');
}

function facts(shown: BulkJob, now: number): Html {
  const { began, ended } = shown;
  const took = ((ended === null ? now : Date.parse(ended)) - Date.parse(began)) / 1_000;
  return html`<dl>
    <dt>${shown.past}</dt>
    <dd>${figure(shown.changed)}</dd>
    <dt>refused</dt>
    <dd>${figure(shown.refusedCount)}</dd>
    <dt>begun</dt>
    <dd>${timeOf(began, now)} by ${foreign(shown.by)}</dd>
    <dt>why</dt>
    <dd>${foreign(shown.why)}</dd>
    <dt>ended</dt>
    <dd>${timeOf(ended, now)}</dd>
    <dt>took</dt>
    <dd>${age(took)}</dd>
  </dl>`;
}

const reasons: Readonly<Record<string, string>> = {
  CONFLICT: 'their state does not allow it, or another task of the same work is queued',
  NOT_FOUND: 'they are gone',
  LEASE_LOST: 'a worker took or gave them back meanwhile',
  QUEUE_FULL: 'the queue is full',
};

function refusedOf(shown: BulkJob): Html {
  const { refused, refusedCount } = shown;
  const counts = [...shown.reasons].map(
    ([code, many]) => `${count(many)} ${code}${code in reasons ? ` (${reasons[code]})` : ''}`,
  );
  const rows = refused.map(({ id, code, detail }) => [
    html`<a href="/tasks/${encodeURIComponent(id)}">${id}</a>`,
    code,
    foreign(detail),
  ]);
  return html`${counts.length > 0 && html`<p>${counts.join(' · ')}</p>`}
  ${tableOf(
    refusedCount > refused.length ? `The first ${refused.length} of ${count(refusedCount)}` : 'All of them',
    ['Task', 'Code', 'Why'],
    rows,
    {
      none: 'None was refused.',
      keys: refused.map(({ id }) => `t-${id}`),
    },
  )}`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}
