import { z } from 'zod';
import { flowOf, isPaused } from '../../control/flow.ts';
import { overviewOf } from '../../control/overview.ts';
import { type Work, workOf } from '../../control/what-if.ts';
import { age } from '../../control/wording.ts';
import type { OrganisationPage, OrganisationView } from '../../protocol/operator-organisations.ts';
import type { SchedulerView } from '../../protocol/operator-status.ts';
import type { PauseView } from '../../protocol/operator.ts';
import { lengths, shortText } from '../../tasks/limits.ts';
import { lastHours } from '../chart.ts';
import { address, each, foreign, type Html, html } from '../html.ts';
import { type Page, type PageRequest, parametersOf } from '../page.ts';
import { day } from './day.ts';
import { figure, perSecond, secondsOf, shareOf, state, tableOf } from '../pieces.ts';

const rowsOnPage = 50;
/** More schedulers than these are one column. */
const mostColumns = 4;

const query = z.object({
  scheduler: z.string().optional(),
  prefix: shortText(lengths.organisation).optional(),
  /** An hour: the day again. */
  at: z.string().max(40).optional(),
  page: z.coerce.number({ error: 'expected a number' }).int().min(1).max(2_000).default(1),
});

/** `/organisations`: who waits, who is served, and when and why. */
export async function organisations(request: PageRequest): Promise<Page> {
  const { operators, maxAgeSeconds, query: given, now } = request;
  const { scheduler, prefix, page, at } = parametersOf(query, given);
  if (at !== undefined) return day(request, at);
  const instances = await operators.instances();
  const of = scheduler === undefined ? {} : { scheduler };
  const [listed, looked, { results: pauses }, work] = await Promise.all([
    operators.ask('organisations', {
      ...of,
      ...(prefix === undefined ? {} : { prefix }),
      limit: rowsOnPage,
      offset: (page - 1) * rowsOnPage,
      max_age_seconds: maxAgeSeconds,
    }),
    overviewOf(operators, instances, maxAgeSeconds),
    operators.ask('pauses', {}),
    workOf(operators, instances, of),
  ]);
  const ids = looked.schedulers.map(({ id }) => id);
  return {
    title: 'Organisations',
    sections: {
      filter: html`<form class="filter" action="/organisations">
        <label
          >Scheduler
          <select name="scheduler">
            <option value="">all</option>
            ${each(ids, (id) => html`<option ${id === scheduler && html`selected`}>${id}</option>`)}
          </select></label
        >
        <label>Code begins with <input name="prefix" value="${prefix}" maxlength="512" autocomplete="off" /></label>
        <button class="main">Filter</button>
        <a href="${address('/organisations', { at: lastHours(now).at(-1)! })}">the last 24 hours by the hour</a>
        ${(scheduler ?? prefix) !== undefined && html`<a href="/organisations">all organisations</a>`}
      </form>`,
      organisations: listOf({ listed, schedulers: looked.schedulers, pauses, work, prefix }),
      pages: pagesOf(listed, { scheduler, prefix, page }),
    },
    command: ['rota', 'queue', ...(scheduler === undefined ? [] : [scheduler]), '--by', 'organisation'],
    liveMs: 2_000,
  };
}

interface Shown {
  readonly listed: OrganisationPage;
  readonly schedulers: readonly SchedulerView[];
  readonly pauses: readonly PauseView[];
  readonly work: Work;
  readonly prefix: string | undefined;
}

function listOf({ listed, schedulers, pauses, work, prefix }: Shown): Html {
  const asked = listed.results[0]?.schedulers.map(({ scheduler }) => scheduler) ?? [];
  const columns = asked.length > 1 && asked.length <= mostColumns ? asked : [];
  const rows = listed.results.map((it) => {
    const queued = sum(it, 'queued');
    const held = sum(it, 'held');
    const rate = work.of(it.organisation);
    const { next, why } = outlookOf(it, rate, schedulers, pauses);
    return [
      html`<a href="/organisations/${encodeURIComponent(it.organisation)}">${foreign(it.organisation)}</a>`,
      ...it.schedulers
        .filter(({ scheduler }) => columns.includes(scheduler))
        .map((queue) => figureOrNone(queue.queued)),
      figureOrNone(queued),
      held === 0
        ? figure(null)
        : figure(
            held,
            it.schedulers.some((queue) => queue.held_is_least),
          ),
      shareOf(queued, listed.queued),
      rate === null ? figure(null) : shareOf(rate, work.perSecond),
      perSecond(rate),
      secondsOf(waited(it)),
      next,
      why,
    ];
  });
  const head = [
    'Organisation',
    ...columns,
    columns.length > 0 ? 'Queued' : `Queued${asked.length === 1 ? ` (${asked[0]})` : ''}`,
    'Held',
    'Of the queue',
    'Of the work',
    'Out',
    'Next waited',
    'Next starts',
    'Why',
  ];
  return tableOf('Organisations by what is queued; the work is that of the last ten minutes', head, rows, {
    none:
      prefix === undefined
        ? 'No organisation was seen yet: Katalogus tells of them, or a task that is pushed.'
        : html`No organisation begins with ${foreign(prefix)}. <a href="/organisations">All organisations</a>`,
    keys: listed.results.map(({ organisation }) => `org-${organisation}`),
  });
}

function pagesOf(
  { count, count_is_least: isLeast, results }: OrganisationPage,
  {
    scheduler,
    prefix,
    page,
  }: { readonly scheduler: string | undefined; readonly prefix: string | undefined; readonly page: number },
): Html {
  const to = (other: number) => address('/organisations', { scheduler, prefix, page: other === 1 ? null : other });
  const first = (page - 1) * rowsOnPage;
  return html`<p class="pages">
    <span
      >${results.length > 0 && html`${first + 1} to ${first + results.length} of`} ${figure(count, isLeast)}
      organisations</span
    >
    ${page > 1 && html`<a rel="prev" href="${to(page - 1)}">‹ more queued</a>`}
    ${first + rowsOnPage < count && html`<a rel="next" href="${to(page + 1)}">less queued ›</a>`}
  </p>`;
}

function sum({ schedulers }: OrganisationView, key: 'queued' | 'held'): number {
  return schedulers.reduce((total, queue) => total + queue[key], 0);
}

function waited({ schedulers }: OrganisationView): number | null {
  const all = schedulers.flatMap(({ waited_seconds: seconds }) => (seconds === null ? [] : [seconds]));
  return all.length === 0 ? null : Math.max(...all);
}

function figureOrNone(count: number): Html {
  return count === 0 ? figure(null) : figure(count);
}

/** When its next task starts, and what it waits for: of the scheduler in which most waits. */
function outlookOf(
  { organisation, schedulers }: OrganisationView,
  rate: number | null,
  all: readonly SchedulerView[],
  pauses: readonly PauseView[],
): { readonly next: Html; readonly why: Html } {
  const none = html`<span class="none">–</span>`;
  const most = schedulers.toSorted((a, b) => b.queued - a.queued)[0];
  if (most === undefined || most.queued === 0)
    return { next: none, why: html`<span class="soft">nothing is queued</span>` };
  const allHeld = most.waited_seconds === null;
  const why = whyItWaits({ scheduler: most.scheduler, organisation, allHeld }, all, pauses);
  if (allHeld || pauses.some((pause) => holdsAll(pause, organisation, most.scheduler)))
    return { next: html`not while it is held`, why };
  const scheduler = all.find(({ id }) => id === most.scheduler);
  if (scheduler !== undefined && flowOf(scheduler, isPaused(scheduler, pauses)).word === 'stands')
    return { next: html`unknown`, why };
  if (rate === null || rate === 0)
    return { next: html`unknown`, why: html`${why} <span class="soft">(none of it went lately)</span>` };
  return { next: rate >= 1 ? html`now` : html`<span class="state">within ${age(1 / rate)}</span>`, why };
}

function holdsAll({ scheduler, organisation, boefje }: PauseView, of: string, queue: string): boolean {
  return scheduler === queue && (organisation ?? of) === of && boefje === null;
}

interface Waiting {
  readonly scheduler: string;
  readonly organisation: string;
  readonly allHeld: boolean;
}

/** Why what an organisation has queued is not handed out: a pause, how its scheduler flows, or the turns of others. */
export function whyItWaits(
  { scheduler, organisation, allHeld }: Waiting,
  schedulers: readonly SchedulerView[],
  pauses: readonly PauseView[],
): Html {
  const pause = pauses.find((one) => holdsAll(one, organisation, scheduler));
  if (pause !== undefined) return pausedBy(pause);
  if (allHeld) return html`${state('warn', 'held')} by a pause or a limit of all that it has queued`;
  const of = schedulers.find(({ id }) => id === scheduler);
  const { word, why } = of === undefined ? { word: 'unknown', why: null } : flowOf(of, isPaused(of, pauses));
  if (word === 'stands') return html`${state('bad', word)} ${why}`;
  return html`<span class="soft">waits for its turn${word === 'falls behind' && html`: ${why}`}</span>`;
}

function pausedBy({ paused_by: by, note }: PauseView): Html {
  return html`${state('warn', 'paused')} by
  ${foreign(by ?? 'an unknown operator')}${note !== null && html`: ${foreign(note)}`}`;
}
