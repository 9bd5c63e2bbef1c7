import { z } from 'zod';
import { subjectOf } from '../../control/wording.ts';
import type { ListedSchedule, ListPage } from '../../protocol/operator-lists.ts';
import { lengths, shortText } from '../../tasks/limits.ts';
import { type ScheduleState, scheduleStates } from '../../tasks/task.ts';
import { address, each, foreign, type Html, html } from '../html.ts';
import { type Page, type PageRequest, parametersOf } from '../page.ts';
import { figure, hiddenFields, state, tableOf, timeOf } from '../pieces.ts';

const rowsOnPage = 50;

const query = z.object({
  state: z.enum([...scheduleStates, 'all']).default('late'),
  scheduler: shortText(lengths.name).optional(),
  organisation: shortText(lengths.organisation).optional(),
  boefje: shortText(lengths.name).optional(),
  ooi: shortText(lengths.ooi).optional(),
  after: z.string().max(100).optional(),
});
type Query = z.output<typeof query>;

const stateWords: Readonly<Record<ScheduleState | 'all', string>> = {
  late: 'late',
  due: 'due within the hour',
  enabled: 'enabled',
  disabled: 'disabled',
  'disabled-by-people': 'disabled by people',
  'disabled-by-rota': 'disabled by Rota',
  all: 'all',
};

/** `/schedules`: what runs again, by deadline. */
export async function schedules(request: PageRequest): Promise<Page> {
  const { operators } = request;
  const asked = parametersOf(query, request.query);
  const { state: of, after, ...filters } = asked;
  const [{ results: schedulers }, listed] = await Promise.all([
    operators.ask('names', { kind: 'scheduler' }),
    operators.ask('schedules', { ...given(filters), ...stateOf(of), ...given({ after }), limit: rowsOnPage }),
  ]);
  return {
    title: 'Schedules',
    sections: {
      states: html`<ul class="words">
        ${each(Object.entries(stateWords), ([name, word]) => html`<li><a href="${address('/schedules', { ...filters, state: name })}" ${name === of && html`aria-current="page"`}>${word}</a></li>`)}
      </ul>`,
      filter: filterForm(asked, schedulers),
      schedules: listOf(listed, asked, request),
      pages: pagesOf(listed, asked),
    },
    command: [
      'rota',
      'schedules',
      'list',
      ...(of === 'all' ? [] : ['--state', of]),
      ...Object.entries(given(filters)).flatMap(([name, value]) => [`--${name}`, value]),
    ],
    liveMs: 10_000,
  };
}

function stateOf(of: Query['state']): { readonly state?: ScheduleState } {
  return of === 'all' ? {} : { state: of };
}

function given<T extends Record<string, string | undefined>>(fields: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string;
  };
}

function filterForm({ state: of, scheduler, organisation, boefje, ooi }: Query, schedulers: readonly string[]): Html {
  const isFiltered = [scheduler, organisation, boefje, ooi].some((it) => it !== undefined);
  return html`<form class="filter" action="/schedules">
    ${hiddenFields({ state: of })}
    <label
      >Scheduler
      <select name="scheduler">
        <option value="">all</option>
        ${each(schedulers, (id) => html`<option ${id === scheduler && html`selected`}>${id}</option>`)}
      </select></label
    >
    <label>Organisation <input name="organisation" value="${organisation}" maxlength="512" autocomplete="off" /></label>
    <label>Boefje <input name="boefje" value="${boefje}" maxlength="1024" autocomplete="off" /></label>
    <label>The whole OOI <input name="ooi" value="${ooi}" maxlength="2048" autocomplete="off" /></label>
    <button class="main">Filter</button>
    ${isFiltered && html`<a href="${address('/schedules', { state: of })}">clear</a>`}
  </form>`;
}

function listOf({ results }: ListPage<ListedSchedule>, asked: Query, { access, at, now }: PageRequest): Html {
  const ticks = access === 'operate';
  const rows = results.map((it) => {
    const { plugin, ooi } = subjectOf(it.data);
    return [
      ...(ticks
        ? [html`<input type="checkbox" name="id" value="${it.id}" aria-label="Choose ${plugin} on ${ooi}" />`]
        : []),
      html`<a href="/schedules/${it.id}">${it.deadline_at === null ? 'no deadline' : dueOf(it, now)}</a>`,
      everyOf(it),
      html`${foreign(plugin)}${it.scheduler_id !== 'boefje' && html` <span class="soft">${it.scheduler_id}</span>`}`,
      foreign(ooi),
      html`<a href="/organisations/${encodeURIComponent(it.organisation)}">${foreign(it.organisation)}</a>`,
      lastOf(it, now),
      enabledOf(it),
    ];
  });
  const head = ['Due', 'Every', 'Plug-in', 'OOI', 'Organisation', 'Last', 'State'];
  const table = tableOf(
    `Schedules: ${stateWords[asked.state]}, by deadline, the oldest first`,
    [...(ticks ? ['Choose'] : []), ...head],
    rows,
    { none: noneOf(asked), keys: results.map(({ id }) => `schedule-${id}`) },
  );
  if (!ticks || results.length === 0) return table;
  const buttons = [
    ['run', 'Run now'],
    ['enable', 'Enable'],
    ['disable', 'Disable'],
  ] as const;
  return html`<form method="post" action="/do/change-schedules">
    ${hiddenFields({ back: at })} ${table}
    <div class="acts">
      <span>Those that are ticked:</span>
      ${each(buttons, ([action, label]) => html`<button name="action" value="${action}">${label}</button>`)}
    </div>
  </form>`;
}

function noneOf({ state: of, ...filters }: Query): Html {
  const isFiltered = Object.values(filters).some((it) => it !== undefined);
  if (isFiltered)
    return html`No schedule that is ${stateWords[of]} matches.
      <a href="${address('/schedules', { state: of })}">Without the filter</a> ·
      <a href="${address('/schedules', { ...filters, after: null, state: 'all' })}">in any state</a>`;
  return of === 'late'
    ? html`${state('good', 'None is late.')} <a href="/schedules?state=due">Those due within the hour</a>`
    : html`No schedule is ${stateWords[of]}. <a href="/schedules?state=all">All schedules</a>`;
}

export function dueOf(
  { deadline_at: deadline, enabled }: Pick<ListedSchedule, 'deadline_at' | 'enabled'>,
  now: number,
): Html {
  if (deadline === null || !enabled || Date.parse(deadline) > now) return timeOf(deadline, now);
  return html`<span class="state bad">late:</span> ${timeOf(deadline, now)}`;
}

/** What says when it runs, and whose word it is. */
export function everyOf({
  schedule,
  inherited,
  by_interval: byInterval,
  scheduler_id: scheduler,
}: ListedSchedule): Html {
  if (schedule !== null)
    return html`<code>${schedule}</code> <span class="soft">UTC, ${inherited ? 'the boefje’s' : 'a person’s'}</span>`;
  if (scheduler !== 'boefje') return html`<span class="soft">no cron</span>`;
  return html`<span class="soft">${byInterval ? 'the boefje’s' : 'default interval'}</span>`;
}

const levels = { completed: 'good', failed: 'bad', cancelled: 'warn' } as const;

function lastOf({ last, streak }: ListedSchedule, now: number): Html {
  if (last === null) return html`<span class="none">never ran</span>`;
  const level = Object.hasOwn(levels, last.status) ? levels[last.status as keyof typeof levels] : 'idle';
  const failures = streak === null ? null : `${streak.failures}${streak.bounded ? '+' : ''}`;
  return html`<a href="/tasks/${last.id}">${state(level, last.status)}</a> ${timeOf(last.at, now)}
    ${failures !== null && failures !== '1' && html`<span class="soft">${failures} failures in a row</span>`}`;
}

export function enabledOf({
  enabled,
  disabled_reason: why,
}: Pick<ListedSchedule, 'enabled' | 'disabled_reason'>): Html {
  if (enabled) return state('good', 'enabled');
  return html`${state(why === 'person' ? 'idle' : 'warn', 'disabled')}
  ${why === 'person' ? 'by a person' : (why ?? 'unknown')}`;
}

function pagesOf(listed: ListPage<ListedSchedule>, { after, ...asked }: Query): Html {
  const { count, count_is_least: isLeast, next, searched_to: searchedTo, looked_at: looked, results } = listed;
  const to = (cursor: string | null) => address('/schedules', { ...asked, after: cursor });
  return html`<p class="pages">
    <span>${figure(results.length)} shown · ${figure(count, isLeast)} match</span>
    ${looked !== null && next !== null && html`<span>looked at ${figure(looked)}${searchedTo !== null && html`, due until ${searchedTo.slice(0, 16).replace('T', ' ')} UTC`}</span>`}
    ${after !== undefined && html`<a href="${to(null)}">‹ the first</a>`}
    ${next !== null && html`<a rel="next" href="${to(next)}">${results.length < rowsOnPage ? 'search further' : 'later'} ›</a>`}
  </p>`;
}
