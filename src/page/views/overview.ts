import { z } from 'zod';
import { type Found, situationOf } from '../../control/findings.ts';
import { flowOf, isPaused } from '../../control/flow.ts';
import { incidentsOf, type Overview } from '../../control/overview.ts';
import { withRates } from '../../control/parts.ts';
import { within } from '../../deadline.ts';
import type { PauseView } from '../../protocol/operator.ts';
import type { Finding, PartRate, QueuePartView, SchedulerView } from '../../protocol/operator-status.ts';
import { address, each, foreign, type Html, html } from '../html.ts';
import { type Page, type PageRequest, parametersOf } from '../page.ts';
import { actionsIn, incidentsIn, missingIn } from './day.ts';
import { whyItWaits } from './organisations.ts';
import { actionButton, figure, flowLevels, perSecond, secondsOf, sectionOf, state, tableOf } from '../pieces.ts';

/** Rows that one screen shows; the pages behind the links have the rest. */
const mostFindings = 7;
const mostOrganisations = 20;
const mostEntries = 8;
/** They are in the memory of each supervisor. */
const ratesWithinMs = 1_000;

/** `?all=1`: every finding. */
const query = z.object({ all: z.literal('1', { error: 'expected 1' }).optional() });

/** `/`: is anything wrong, does work flow, who waits, who did what, and what broke. */
export async function overview(request: PageRequest): Promise<Page> {
  const { operators, now, maxAgeSeconds } = request;
  const { all: everything } = parametersOf(query, request.query);
  const instances = await operators.instances();
  const situation = situationOf(operators, instances, maxAgeSeconds);
  const [{ overview: looked, pauses, findings }, waits, people, trouble] = await Promise.all([
    situation,
    sectionOf('Who waits', async () => {
      const largest = { by: 'organisation', limit: mostOrganisations + 1, max_age_seconds: maxAgeSeconds } as const;
      const [{ results }, rates, { overview: all, pauses: known }] = await Promise.all([
        operators.ask('queue-by', largest),
        Promise.all(instances.map((instance) => ratesOf(operators, instance))),
        situation,
      ]);
      const queued = withRates(results, rates).filter((part) => part.queued > 0);
      return waiting(queued, all.schedulers, known);
    }),
    sectionOf('Done by people', async () => {
      const { results } = await operators.ask('audit', { limit: mostEntries, max_age_seconds: maxAgeSeconds });
      return actionsIn(results, now, 'Nobody paused, cancelled or retried anything in the last 90 days.');
    }),
    sectionOf('Last trouble', () => lastTrouble(request, instances)),
  ]);
  return {
    title: 'Overview',
    sections: {
      verdict: verdict(looked, findings, everything === undefined ? mostFindings : findings.length, request),
      work: html`<h2>Work</h2>
        ${work(looked, pauses)}`,
      waits,
      people,
      trouble,
    },
    command: ['rota', 'status'],
    liveMs: 1_000,
  };
}

/** What one supervisor handed out; nothing where it does not answer, which the verdict says. */
async function ratesOf(operators: PageRequest['operators'], instance: string): Promise<readonly PartRate[]> {
  return within(operators.ask('queue-rates', { by: 'organisation' }, instance), ratesWithinMs).then(
    ({ results }) => results,
    () => [],
  );
}

function verdict(looked: Overview, found: readonly Found[], most: number, request: PageRequest): Html {
  const of = (level: Finding['level']) => found.filter((finding) => finding.level === level).length;
  const [problems, warnings] = [of('problem'), of('warning')];
  if (found.length === 0) {
    const rate = looked.schedulers.reduce((sum, { out_per_second: out }) => sum + out, 0);
    return html`<p class="verdict good" data-say>
      ${state('good', 'All is well.')}
      ${rate === 0 ? 'Nothing is handed out now' : html`${perSecond(rate)} handed out`}, none late.
    </p>`;
  }
  const counts = [problems > 0 && counted(problems, 'problem'), warnings > 0 && counted(warnings, 'warning')];
  return html`<p class="verdict" data-say>
      ${state(problems > 0 ? 'bad' : 'warn', counts.filter(Boolean).join(' · '))}
    </p>
    <ul class="findings">
      ${each(found.slice(0, most), (finding) => findingOf(finding, request))}
    </ul>
    ${found.length > most && html`<p><a href="/?all=1">and ${found.length - most} more</a></p>`}`;
}

function findingOf({ level, about, finding, advice, pause }: Found, { access, at }: PageRequest): Html {
  const sign = { problem: state('bad', 'Problem'), warning: state('warn', 'Warning'), fine: state('good', 'Fine') }[
    level
  ];
  const fields = pause && { scheduler: pause.scheduler, organisation: pause.organisation, boefje: pause.boefje };
  return html`<li class="${level}">
    ${sign}
    <div>
      <strong>${foreign(about)}</strong> ${foreign(finding)}
      ${advice !== null && html`<div class="advice">What to do: ${advice}</div>`}
    </div>
    ${fields !== undefined && actionButton(access, 'resume', 'Resume', fields, at)}
  </li>`;
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

function work({ schedulers }: Overview, pauses: readonly PauseView[]): Html {
  const rows = schedulers.map((it) => {
    const { word, why } = flowOf(it, isPaused(it, pauses));
    return [
      html`<a href="${address('/tasks', { scheduler: it.id, status: 'queued' })}">${it.id}</a>`,
      html`${state(flowLevels[word], word)}${why !== null && html` <span class="soft">${why}</span>`}`,
      it.queued === null ? figure(null) : figure(it.queued - (it.held ?? 0)),
      figure(it.held, it.held_is_least),
      figure(it.leased),
      figure(it.waiters),
      secondsOf(it.oldest_seconds),
      perSecond(it.in_per_second),
      perSecond(it.out_per_second),
      secondsOf(it.schedule_lag_seconds || null),
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
  return tableOf('Schedulers', head, rows, {
    none: 'No scheduler is configured: SCHEDULER_ACTORS.',
    keys: schedulers.map(({ id }) => `work-${id}`),
    cards: true,
  });
}

function waiting(
  results: readonly QueuePartView[],
  schedulers: readonly SchedulerView[],
  pauses: readonly PauseView[],
): Html {
  const most = results.toSorted((a, b) => b.queued - a.queued);
  const shown = results.reduce((sum, { queued }) => sum + queued, 0);
  // Those that are not among the results wait, too.
  const total = Math.max(
    shown,
    schedulers.reduce((sum, { queued }) => sum + (queued ?? 0), 0),
  );
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
      whyItWaits({ ...part, organisation: part.name, allHeld: part.held >= part.queued }, schedulers, pauses),
    ]);
  const head = ['Organisation', 'Scheduler', 'Waiting', 'Of the queue', 'Next waited', 'Out', 'Why'];
  return html`${tableOf('Organisations by what waits', head, rows, { none: 'Nothing waits.' })}
  ${most.length > mostOrganisations && html`<p><a href="/organisations">All organisations</a></p>`}`;
}

async function lastTrouble(
  { operators, now, maxAgeSeconds }: PageRequest,
  instances: readonly string[],
): Promise<Html> {
  const known = await incidentsOf(operators, instances, { limit: mostEntries, max_age_seconds: maxAgeSeconds });
  return html`${incidentsIn(known.results, now, 'Nothing broke within the last 30 days.')} ${missingIn(known)}`;
}
