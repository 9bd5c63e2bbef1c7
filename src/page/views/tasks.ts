import { z } from 'zod';
import { accepts, selectedStatuses } from '../../control/task-actions.ts';
import { moment, subjectOf } from '../../control/wording.ts';
import type { ListedTask, ListPage, TaskAction, TaskView } from '../../protocol/operator-lists.ts';
import type { TaskStatus } from '../../tasks/task.ts';
import { address, each, type Html, html } from '../html.ts';
import { type Page, type PageRequest, parametersOf } from '../page.ts';
import { figure, hiddenFields, state, tableOf, timeOf } from '../pieces.ts';
import {
  cursorText,
  filterForm,
  filterOptions,
  filterWords,
  statusWords,
  taskFilter,
  type TaskFilter,
} from '../task-filter.ts';
import { taskHead, taskRow } from '../task-rows.ts';

const rowsOfPage = 50;
/** Cursors of the newer pages, for the way back: 65 characters each. */
const longestTrail = 20;
const longestLiveAddress = 4_000;
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const parameters = taskFilter.extend({
  before: cursorText.optional(),
  trail: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(cursorText).max(longestTrail))
    .default([]),
  /** Of a live page: the rows that it has, and when they were read. */
  shown: z
    .string()
    .transform((text) => text.split('.'))
    .pipe(z.array(z.string().regex(uuid, 'expected ids of tasks')).max(rowsOfPage))
    .optional(),
  shown_at: z.iso.datetime().optional(),
});

type Parameters = z.output<typeof parameters>;

/** `/tasks`: newest first, by a filter that is the address. */
export async function tasks(request: PageRequest): Promise<Page> {
  const asked = parametersOf(parameters, request.query);
  const { before, trail, shown, shown_at: shownAt, ...filter } = asked;
  if (shown !== undefined && shownAt !== undefined)
    return liveTasks(request, filter, shown, shownAt, before === undefined);
  const { operators, now, access, maxAgeSeconds } = request;
  const page = await operators.ask('tasks', { ...filter, before, limit: rowsOfPage });
  const [rows, words, form] = await Promise.all([
    detailsOf(
      request,
      page.results.map(({ id }) => id),
    ),
    statusWords(request, filter),
    filterForm(request, filter),
  ]);
  const back = address('/tasks', { ...filter, before, trail: trail.join(',') });
  const ids = rows.map(({ id }) => id).join('.');
  const liveAt = address('/tasks', { ...filter, before, shown: ids, shown_at: page.at });
  return {
    title: 'Tasks',
    sections: {
      statuses: words,
      filter: form,
      newer: html``,
      rows: rowsForm(rows, { access, now, back, none: noneOf(page, filter), status: filter.status }),
      end: endOf(page, rows.length, asked),
      all: access === 'operate' ? allForm(page, filter, back) : html``,
    },
    command: ['rota', 'tasks', 'list', ...filterOptions(filter)],
    // A list is searched for who asks: what repeats it looks at its rows alone.
    ...(liveAt.length <= longestLiveAddress && maxAgeSeconds === 0 ? { liveMs: 2_000, liveAt } : {}),
  };
}

/** Older, and what came since is not counted: the address says when a list was read, and may say any time. */
const countedMs = 600_000;

/**
 * The rows that stand there, as they are now; what came since is only counted, by what an index knows: a search may read 200 000 rows,
 * and this is asked every two seconds.
 */
async function liveTasks(
  request: PageRequest,
  filter: TaskFilter,
  shown: readonly string[],
  shownAt: string,
  isNewest: boolean,
): Promise<Page> {
  const { operators, now, access, query } = request;
  const back = address('/tasks', { ...query, shown: undefined, shown_at: undefined });
  const { scheduler, organisation, to, from } = filter;
  const grows = isNewest && from === undefined;
  const isCounted = grows && now - Date.parse(shownAt) < countedMs;
  const [rows, words, since] = await Promise.all([
    detailsOf(request, shown),
    statusWords(request, filter),
    isCounted ? operators.ask('tasks', { scheduler, organisation, to, from: shownAt, limit: 0 }) : null,
  ]);
  // The database's clock may be read a moment late.
  const known = rows.filter(({ created_at: made }) => Date.parse(made) >= Date.parse(shownAt)).length;
  const newer = since === null ? 0 : since.count - known;
  // What is made is queued.
  const isExact = (filter.plugin ?? filter.ooi) === undefined && (filter.status ?? 'queued') === 'queued';
  const found = isExact ? 'newer ↻' : 'made since, of any kind ↻';
  const more =
    newer > 0
      ? html`${figure(newer, since!.count_is_least && since!.next !== null)} ${found}`
      : grows && !isCounted
        ? html`look for newer ↻`
        : null;
  return {
    title: 'Tasks',
    sections: {
      statuses: words,
      newer: more === null ? html`` : html`<p class="newer"><a href="${back}">${more}</a></p>`,
      ...(shown.length === 0
        ? {}
        : { rows: rowsForm(rows, { access, now, back, none: 'These tasks are gone.', status: filter.status }) }),
    },
    liveMs: 2_000,
  };
}

/** In the order of `ids`. */
async function detailsOf({ operators }: PageRequest, ids: readonly string[]): Promise<readonly TaskView[]> {
  if (ids.length === 0) return [];
  const { results } = await operators.ask('task-details', { ids: [...ids] });
  const byId = new Map(results.map((task) => [task.id, task]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

interface Shown extends Pick<PageRequest, 'access' | 'now'> {
  readonly back: string;
  readonly none: string;
  readonly status: TaskStatus | undefined;
}

const actions = [
  ['retry', 'Retry'],
  ['cancel', 'Cancel'],
  ['release', 'Release'],
] as const satisfies readonly (readonly [TaskAction, string])[];

/** Of a list of one status, those that it may take. */
function possibleOf(status: TaskStatus | undefined) {
  return actions.filter(([action]) => status === undefined || accepts(action, status));
}

/** One form around the table: its buttons say what is done to the ticked rows. */
function rowsForm(rows: readonly TaskView[], { access, now, back, none, status }: Shown): Html {
  const operates = access === 'operate';
  const tick = (task: TaskView) => {
    const { plugin, ooi } = subjectOf(task.data);
    const label = `${plugin ?? 'a task'} on ${ooi ?? 'nothing'}`.slice(0, 200).toWellFormed();
    return html`<input type="checkbox" name="ids" value="${task.id}" aria-label="${label}" />`;
  };
  const table = html`<div class="stack">
    ${tableOf(
      'Newest first',
      operates ? ['Tick', ...taskHead] : taskHead,
      rows.map((task) => [...(operates ? [tick(task)] : []), ...taskRow(task, now)]),
      { none, keys: rows.map(({ id }) => `t-${id}`) },
    )}
  </div>`;
  const title = html`<h2 class="sr">Tasks</h2>`;
  if (!operates || rows.length === 0) return html`${title}${table}`;
  return html`${title}
    <form method="post" class="ticked">
      ${hiddenFields({ back })}${table}
      <p class="acts">
        What is ticked:
        ${each(possibleOf(status), ([action, name]) => html`<button formaction="/do/${action}">${name}</button>`)}
      </p>
    </form>`;
}

function noneOf(page: ListPage<ListedTask>, filter: TaskFilter): string {
  if (page.next !== null) return 'None here.';
  const { status } = filter;
  const words = filterWords(filter);
  if (words === '' && status === undefined) return 'There are no tasks yet: events of KAT and schedules make them.';
  return `No ${status === undefined ? '' : `${status} `}tasks ${words}. A wider filter may find some.`;
}

/** How many there are, how far a search has looked, and the ways on. */
function endOf(
  page: ListPage<ListedTask>,
  rows: number,
  { before, trail, shown: _shown, shown_at: _at, ...filter }: Parameters,
): Html {
  const searches = page.looked_at !== null && page.next !== null;
  const older = {
    ...filter,
    before: page.next,
    trail: [...trail, ...(before === undefined ? [] : [before])].slice(-longestTrail).join(','),
  };
  const newer = { ...filter, before: trail.at(-1), trail: trail.slice(0, -1).join(',') };
  const looked =
    page.searched_to === null
      ? null
      : html`back to ${timeOf(page.searched_to, Date.parse(page.at))} (${moment(page.searched_to)})`;
  return html`<p class="acts pages">
    ${
      rows === 0 && searches
        ? html`<span
            >None among the ${figure(page.looked_at)} newest${before !== undefined && ' of this part'}, ${looked}.</span
          >`
        : html`<span
            >${figure(rows)} shown ·
            ${searches ? html`searched ${looked}` : html`${figure(page.count, page.count_is_least)} match`}</span
          >`
    }
    ${before !== undefined && html`<a href="${address('/tasks', newer)}">‹ newer</a>`}
    ${before !== undefined && html`<a href="${address('/tasks', filter)}">‹‹ newest</a>`}
    ${page.next !== null && html`<a href="${address('/tasks', older)}">${rows < rowsOfPage && searches ? 'search further ›' : 'older ›'}</a>`}
  </p>`;
}

/** What an action would do to everything that the filter has, as it was when this list was read. */
function allForm(page: ListPage<ListedTask>, { status, ...filter }: TaskFilter, back: string): Html {
  if (page.results.length === 0 && page.next === null) return html``;
  const possible = possibleOf(status);
  const label = (action: TaskAction, name: string) =>
    status === undefined ? `${name} all ${selectedStatuses[action].join(', ')}…` : `${name} all…`;
  return html`<h2>All that match the filter</h2>
    <form method="post" class="acts">
      ${hiddenFields({ ...filter, status, made_until: page.at, back })}
      ${each(possible, ([action, name]) => html`<button formaction="/do/${action}-all">${label(action, name)}</button>`)}
      ${possible.length === 0 && state('idle', 'nothing can be done to tasks of this status')}
    </form>`;
}
