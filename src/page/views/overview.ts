import { findingsOf } from '../../control/findings.ts';
import { flowOf } from '../../control/flow.ts';
import { type Overview, overviewOf } from '../../control/overview.ts';
import { within } from '../../deadline.ts';
import type { PauseView } from '../../protocol/operator.ts';
import type { AuditView, Finding, QueuePartView, SchedulerView } from '../../protocol/operator-status.ts';
import { address, each, foreign, type Html, html } from '../html.ts';
import type { Page, PageRequest } from '../page.ts';
import { actionButton, figure, perSecond, secondsOf, sectionOf, state, tableOf, timeOf } from '../pieces.ts';

/** Rows that one screen shows; the pages behind the links have the rest. */
const mostFindings = 7;
const mostOrganisations = 20;
const mostEntries = 8;
/** Figures of the database are counted again so often; what supervisors know themselves each time. */
const maxAgeSeconds = 5;
const pausesWithinMs = 2_500;

/** `/`: is anything wrong, does work flow, who waits, and who did what. */
export async function overview(request: PageRequest): Promise<Page> {
  const { operators, now } = request;
  // Of the database, which may be away: the rest of the page says so.
  const paused = within(operators.ask('pauses', {}), pausesWithinMs, 'ASK_TIMEOUT').then(
    ({ results }) => results,
    () => null,
  );
  const [looked, pauses, waits, people] = await Promise.all([
    operators.instances().then((instances) => overviewOf(operators, instances, maxAgeSeconds)),
    paused,
    sectionOf('Who waits', async () => waiting(operators, (await paused) ?? [])),
    sectionOf('Done by people', async () => {
      const { results } = await operators.ask('audit', { limit: mostEntries });
      return entries(results, now);
    }),
  ]);
  return {
    title: 'Overview',
    sections: {
      verdict: verdict(looked, pauses, request),
      work: html`<h2>Work</h2>
        ${work(looked, pauses ?? [])}`,
      waits,
      people,
    },
    command: ['rota', 'status'],
    liveMs: 1_000,
  };
}

function verdict(looked: Overview, known: readonly PauseView[] | null, request: PageRequest): Html {
  const pauses = known ?? [];
  const found: readonly Shown[] = [
    ...findingsOf(looked),
    ...(known === null ? [unknownPauses] : []),
    ...standing(looked, pauses),
    ...pauses.map((pause) => ofPause(pause, request)),
  ];
  const of = (level: Finding['level']) => found.filter((finding) => finding.level === level).length;
  const [problems, warnings] = [of('problem'), of('warning')];
  if (found.length === 0) {
    const rate = looked.schedulers.reduce((sum, { out_per_second: out }) => sum + out, 0);
    return html`<p class="verdict" data-say>
      ${state('good', 'All is well.')} ${perSecond(rate)} handed out, none late.
    </p>`;
  }
  const counts = [problems > 0 && counted(problems, 'problem'), warnings > 0 && counted(warnings, 'warning')];
  return html`<p class="verdict" data-say>
      ${state(problems > 0 ? 'bad' : 'warn', counts.filter(Boolean).join(' · '))}
    </p>
    <ul class="findings">
      ${each(found.slice(0, mostFindings), findingOf)}
    </ul>
    ${found.length > mostFindings && html`<p><a href="/machinery">and ${found.length - mostFindings} more</a></p>`}`;
}

const unknownPauses: Finding = {
  level: 'warning',
  about: 'pauses',
  finding: 'are unknown: the database did not answer',
  advice: null,
};

/** A finding, and the button that mends it. */
type Shown = Finding & { readonly act?: Html };

function findingOf({ level, about, finding, advice, act }: Shown): Html {
  const sign = { problem: state('bad', 'Problem'), warning: state('warn', 'Warning'), fine: state('good', 'Fine') }[
    level
  ];
  return html`<li class="${level}">
    ${sign} <strong>${foreign(about)}</strong> ${foreign(finding)}
    ${advice !== null && html`<div class="advice">What to do: ${advice} ${act}</div>`}
  </li>`;
}

/** Schedulers in which tasks wait and none goes out. */
function standing({ schedulers }: Overview, pauses: readonly PauseView[]): readonly Finding[] {
  return schedulers.flatMap((scheduler) => {
    const { word, why } = flowOf(scheduler, isPaused(scheduler, pauses));
    if (word !== 'stands') return [];
    const advice = 'do its runners run, and what do they log? rota top shows who asks';
    return [{ level: 'problem', about: scheduler.id, finding: `stands: ${why}`, advice } as const];
  });
}

function ofPause(pause: PauseView, { access, at }: PageRequest): Shown {
  const { scheduler, organisation, boefje, paused_by: by, since, note } = pause;
  const what = [scheduler, organisation ?? 'every organisation', boefje ?? 'every boefje'].join(', ');
  const finding = `paused by ${by ?? 'an unknown operator'} since ${since.slice(0, 16).replace('T', ' ')} UTC${note === null ? '' : `: “${note}”`}`;
  const act = actionButton(access, 'resume', 'Resume', { scheduler, organisation, boefje }, at);
  return { level: 'warning', about: what, finding, advice: 'resume it, once its reason is gone', act };
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

function isPaused({ id }: SchedulerView, pauses: readonly PauseView[]): boolean {
  return pauses.some(
    ({ scheduler, organisation, boefje }) => scheduler === id && organisation === null && boefje === null,
  );
}

const levels = {
  flows: 'good',
  idle: 'idle',
  'falls behind': 'warn',
  stands: 'bad',
  held: 'warn',
  unknown: 'bad',
} as const;

function work({ schedulers }: Overview, pauses: readonly PauseView[]): Html {
  const rows = schedulers.map((it) => {
    const { word, why } = flowOf(it, isPaused(it, pauses));
    return [
      html`<a href="${address('/tasks', { scheduler: it.id, status: 'queued' })}">${it.id}</a>`,
      html`${state(levels[word], word)}${why !== null && html` <span class="soft">${why}</span>`}`,
      it.queued === null ? figure(null) : figure(it.queued - (it.held ?? 0)),
      figure(it.held, it.held_is_least),
      figure(it.leased),
      figure(it.waiters),
      secondsOf(it.oldest_seconds),
      perSecond(it.in_per_second),
      perSecond(it.out_per_second),
      secondsOf(it.schedule_lag_seconds),
    ];
  });
  const head = [
    'Scheduler',
    'Flow',
    'Waiting',
    'Held',
    'At work',
    'Asking',
    'Next waited',
    'In',
    'Out',
    'Schedules late',
  ];
  return tableOf('Schedulers', head, rows, { none: 'No scheduler is configured: SCHEDULER_ACTORS.' });
}

async function waiting(operators: PageRequest['operators'], pauses: readonly PauseView[]): Promise<Html> {
  const { results } = await operators.ask('queue-by', { by: 'organisation' });
  const most = results.toSorted((a, b) => b.queued - a.queued);
  const total = results.reduce((sum, { queued }) => sum + queued, 0);
  const rows = most
    .slice(0, mostOrganisations)
    .map((part) => [
      html`<a href="/organisations/${encodeURIComponent(part.name)}">${foreign(part.name)}</a>`,
      part.scheduler,
      figure(part.queued, part.queued_is_least),
      html`<meter min="0" max="1" value="${total === 0 ? 0 : part.queued / total}"></meter>
        ${total === 0 ? 0 : Math.round((100 * part.queued) / total)} %`,
      secondsOf(part.oldest_seconds),
      perSecond(part.per_second),
      whyOf(part, pauses),
    ]);
  const head = ['Organisation', 'Scheduler', 'Waiting', 'Of the queue', 'Next waited', 'Out', 'Why'];
  const others = most.length - mostOrganisations;
  return html`${tableOf('Organisations by what waits', head, rows, { none: 'Nothing waits.' })}
  ${others > 0 && html`<p><a href="/organisations">${others} others</a></p>`}`;
}

function whyOf({ scheduler, name, queued, held }: QueuePartView, pauses: readonly PauseView[]): Html {
  const pause = pauses.find(
    (one) => one.scheduler === scheduler && (one.organisation ?? name) === name && one.boefje === null,
  );
  if (pause !== undefined) return html`${state('warn', 'paused')} by ${foreign(pause.paused_by)}`;
  if (held > 0 && held === queued) return html`${state('warn', 'held')} by a pause`;
  return html`<span class="soft">behind its own</span>`;
}

function entries(results: readonly AuditView[], now: number): Html {
  const rows = results.map(({ at, by, command, organisation, fields, refused }) => [
    timeOf(at, now),
    foreign(by),
    html`${command}${refused !== null && html` ${state('bad', refused)}`}`,
    foreign(organisation),
    foreign(typeof fields['note'] === 'string' ? fields['note'] : null),
  ]);
  return tableOf('The last actions', ['When', 'Who', 'Did', 'Organisation', 'Note'], rows, {
    none: 'Nobody paused, cancelled or retried anything in the last 90 days.',
  });
}
