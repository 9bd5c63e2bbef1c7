import { z } from 'zod';
import { accepts, pastOf, selectedStatuses } from '../../control/task-actions.ts';
import { moment } from '../../control/wording.ts';
import { RotaError } from '../../errors.ts';
import type { ChangedTasks, TaskAction } from '../../protocol/operator-lists.ts';
import { check } from '../../tasks/limits.ts';
import type { TaskStatus } from '../../tasks/task.ts';
import { address, each, html } from '../html.ts';
import { type Action, type PageRequest, parametersOf } from '../page.ts';
import { field, fieldsOf, type Form } from '../reply.ts';
import { filterWords, taskFilter } from '../task-filter.ts';

/** Of one request; more are a bulk job. */
const mostTicked = 500;
/** An undo carries its ids in a cookie. */
const mostUndone = 20;
const namedRefusals = 3;
/** More are confirmed by typing their number. */
const untyped = 1_000;

const ids = z
  .array(z.uuid())
  .min(1, 'no task is ticked')
  .max(mostTicked, `at most ${mostTicked} at once: filter, and choose all that match`);
const note = z.object({ note: z.string().optional() });

/** Ticked boxes, or the ids of an undo in one field. */
const given = (form: Form) => ({ ids: fieldsOf(form, 'ids').flatMap((text) => text.split(' ')) });
const ticked = z.object({ ids });

const verbs: Readonly<Record<TaskAction, string>> = { retry: 'Retry', cancel: 'Cancel', release: 'Release' };
const opposites: Readonly<Record<TaskAction, TaskAction | null>> = { retry: 'cancel', cancel: 'retry', release: null };

const effects: Readonly<Record<TaskAction, readonly string[]>> = {
  cancel: [
    'What is queued leaves the queue; what a worker has is taken from it, and its report is refused.',
    'Nothing keeps them from being scheduled again.',
  ],
  retry: ['They go back to the queue, at their turn, with all their attempts before them again.'],
  release: ['Workers lose them, and their reports are refused; they go back to the queue at once.'],
};

function effectsOf(action: TaskAction, ...more: readonly string[]) {
  return html`<ul>
    ${each([...more, ...effects[action]], (effect) => html`<li>${effect}</li>`)}
  </ul>`;
}

/** What is done to tasks by their ids: at once to one, unless a worker is at it; several are asked about once. */
function changeTicked(action: TaskAction): Action {
  return {
    async confirm(form, { operators }) {
      const { data } = ticked.safeParse(given(form));
      // What is wrong with it is said beside the list, which a page of its own would lose.
      if (data === undefined) return null;
      const { ids } = data;
      if (ids.length === 1) {
        if (action !== 'cancel') return null;
        const { results } = await operators.ask('task-details', { ids });
        if (results[0]?.lease == null) return null;
      }
      const tasks = ids.length === 1 ? 'the task that a worker has' : `${ids.length} tasks`;
      return {
        title: `${verbs[action]} ${tasks}?`,
        effects: effectsOf(action),
        button: `${verbs[action]} ${ids.length === 1 ? 'it' : 'them'}`,
        note: true,
      };
    },
    async run(form, { operators }) {
      const { ids } = check(ticked, given(form));
      const { note: why } = parametersOf(note, form);
      const changed = await operators.ask('change-tasks', { action, ids, why });
      const refused = new Set(changed.refused.map(({ id }) => id));
      const undone = ids.filter((id) => !refused.has(id.toLowerCase()));
      const says = resultOf(action, changed);
      if (undone.length === 0) throw new RotaError('CONFLICT', says);
      const opposite = opposites[action];
      if (opposite === null || undone.length > mostUndone) return { says };
      const fields = { ids: undone.join(' ') };
      // What had failed ends as cancelled.
      return { says, undo: { action: opposite, fields, ...(action === 'retry' ? { label: 'Cancel them' } : {}) } };
    },
  };
}

function resultOf(action: TaskAction, { changed, refused }: ChangedTasks): string {
  const said = `${changed} ${changed === 1 ? 'task' : 'tasks'} ${pastOf[action]}`;
  if (refused.length === 0) return `${said}.`;
  const named = refused.slice(0, namedRefusals).map(({ detail }) => detail);
  const more = refused.length > namedRefusals ? ` And ${refused.length - namedRefusals} more.` : '';
  return `${said}, ${refused.length} refused: ${named.join('; ')}.${more}`;
}

const everything = taskFilter.extend({ made_until: z.iso.datetime(), ...note.shape });

/** What a form of a list selects: its filter, each status that the action takes, and nothing that was made later. */
function selectionOf(action: TaskAction, form: Form) {
  const { status, made_until: madeUntil, note: why, ...filter } = parametersOf(everything, form);
  if (status !== undefined && !accepts(action, status))
    throw new RotaError('INVALID_REQUEST', `status: nothing to ${action} where tasks are ${status}`);
  return { statuses: status === undefined ? selectedStatuses[action] : [status], madeUntil, why, filter };
}

type Selected = ReturnType<typeof selectionOf>;

async function countOf({ operators }: PageRequest, { statuses, filter, madeUntil }: Selected) {
  const to = [filter.to, madeUntil]
    .flatMap((bound) => bound ?? [])
    .toSorted((a, b) => Date.parse(a) - Date.parse(b))[0]!;
  const pages = await Promise.all(
    statuses.map((status) => operators.ask('tasks', { ...filter, status, to, limit: 0 })),
  );
  return {
    count: pages.reduce((sum, page) => sum + page.count, 0),
    isLeast: pages.some((page) => page.count_is_least),
  };
}

type Count = Awaited<ReturnType<typeof countOf>>;

/** As the confirmation had it; null before. */
function confirmedCount(form: Form): Count | null {
  const [, count, least] = /^(\d{1,9})(\+?)$/.exec(field(form, 'counted')) ?? [];
  return count === undefined ? null : { count: Number(count), isLeast: least !== '' };
}

function wordsOfCount({ count, isLeast }: Count): string {
  return `${isLeast ? 'at least ' : ''}${count.toLocaleString('en')}`;
}

/** To more than twice of it, or into what is confirmed by typing: a retry or a release by others may fill a selection. */
function hasGrown(from: Count, to: Count): boolean {
  if (to.isLeast !== from.isLeast) return to.isLeast;
  return to.count > 2 * from.count || (to.count > untyped && from.count <= untyped);
}

/** `queued tasks of org-7`. */
function wordsOf({ statuses, filter }: Selected, noun = 'tasks'): string {
  return [statuses.join(' or '), noun, filterWords(filter)].filter((word) => word !== '').join(' ');
}

/** Where a bulk job is: statuses one after the other, each from its newest task on. */
interface Place {
  readonly at: number;
  readonly before: string | null;
}

/** What is done to all that a filter has, as a bulk job. */
function changeAll(action: TaskAction): Action {
  return {
    async confirm(form, request) {
      const selected = selectionOf(action, form);
      const { count, isLeast } = await countOf(request, selected);
      const many = wordsOfCount({ count, isLeast });
      const before = confirmedCount(form);
      const grown = before === null ? [] : [`There were ${wordsOfCount(before)} when you were asked before.`];
      const typed = isLeast ? `${action} all` : count > untyped ? String(count) : null;
      return {
        title: `${verbs[action]} ${many} ${wordsOf(selected, count === 1 && !isLeast ? 'task' : 'tasks')}?`,
        effects: effectsOf(action, ...grown, `Those made after ${moment(selected.madeUntil)} stay as they are.`),
        button: `${verbs[action]} ${isLeast ? 'all of them' : many}`,
        note: true,
        facts: { counted: `${count}${isLeast ? '+' : ''}` },
        ...(typed === null ? {} : { typed }),
      };
    },
    async holds(form, request) {
      const confirmed = confirmedCount(form);
      return confirmed !== null && !hasGrown(confirmed, await countOf(request, selectionOf(action, form)));
    },
    async run(form, request) {
      const selected = selectionOf(action, form);
      const { operators, jobs, by } = request;
      const { statuses, filter, madeUntil, why } = selected;
      const { count, isLeast } = confirmedCount(form) ?? (await countOf(request, selected));
      const job = jobs.begin<Place>({
        title: `${verbs[action]} the ${wordsOf(selected)}`,
        past: pastOf[action],
        by,
        why: why ?? null,
        expected: count,
        expectedIsLeast: isLeast,
        list: address('/tasks', { ...filter, status: statuses.length === 1 ? statuses[0] : undefined }),
        fields: { action, ...filter, statuses, made_until: madeUntil },
        step: async (place) => {
          const { at, before } = place ?? { at: 0, before: null };
          const status: TaskStatus = statuses[at]!;
          const body = { ...filter, action, status, made_until: madeUntil, why };
          const done = await operators.ask('change-selected-tasks', {
            ...body,
            ...(before === null ? {} : { before }),
          });
          const next = done.next === null ? { at: at + 1, before: null } : { at, before: done.next };
          return { ...done, next: next.at < statuses.length ? next : null };
        },
      });
      return { says: `${job.title}: begun.`, to: `/jobs/${job.id}` };
    },
  };
}

const stopped = z.object({ job: z.uuid() });

export const taskActions: Readonly<Record<string, Action>> = {
  retry: changeTicked('retry'),
  cancel: changeTicked('cancel'),
  release: changeTicked('release'),
  'retry-all': changeAll('retry'),
  'cancel-all': changeAll('cancel'),
  'release-all': changeAll('release'),
  'stop-job': {
    confirm: null,
    async run(form, { jobs, by }) {
      const { id } = jobs.stop(parametersOf(stopped, form).job, by);
      return { says: 'It stops after the step in hand.', to: `/jobs/${id}` };
    },
  },
};
