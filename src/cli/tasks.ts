import { Command, Option } from 'commander';
import { RotaError } from '../errors.ts';
import type { RotaClient } from '../nats/client.ts';
import type { ListedTask, ListPage, TaskView } from '../protocol/operator-lists.ts';
import type { TaskStatus } from '../tasks/task.ts';
import { wholeNumber } from './arguments.ts';
import { endOfList, listUntilFull } from './lists.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { changeCommand, optionsOf, selectionOf, type SelectionOptions, withSelection } from './selected-tasks.ts';
import { ageOf, countOf, failuresOf, moment, subjectOf, whenOf } from '../control/wording.ts';
import { earlierAttemptsOf, fieldsOf, lastAttemptOf, tableOf, tableOfFailed } from './table.ts';

export function tasksCommand(): Command {
  return new Command('tasks')
    .description('list, show, cancel, retry and release tasks')
    .addHelpText('after', '\nExample:\n  rota tasks list --status failed --organisation acme')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(
      changeCommand(
        'cancel',
        'cancel tasks that are not finished; nothing keeps them from being scheduled again',
        'rota tasks cancel --organisation acme --boefje nmap --status queued',
      ),
    )
    .addCommand(
      changeCommand(
        'retry',
        'queue finished tasks again; without --status those that failed',
        'rota tasks retry --boefje dns-records --older-than 1h --yes',
      ),
    )
    .addCommand(
      changeCommand(
        'release',
        'take tasks away from their workers and queue them again',
        'rota tasks release --status running --older-than 6h',
      ),
    );
}

interface ListOptions extends RemoteOptions, SelectionOptions {
  readonly failed?: true;
  readonly limit: number;
  readonly before?: string;
}

function listCommand(): Command {
  return withSelection(
    remoteCommand('list', 'tasks, newest first', 'rota tasks list --status failed --organisation acme --limit 50'),
  )
    .addOption(new Option('--limit <n>', 'at most so many, up to 500').default(20).argParser(wholeNumber(0, 500)))
    .option('--before <cursor>', 'go on where a list ended: `next` of its JSON')
    .addOption(new Option('--failed', 'those that failed, with why and by whom').conflicts('status'))
    .action(async (options: ListOptions) => {
      const { failed, limit, status: statuses = [undefined] } = options;
      const command = 'tasks list';
      const end = (page: ListPage<unknown>) =>
        endOfList(page, { newestFirst: true, command, options: { ...optionsOf(options), failed, limit } });
      if (failed) {
        const page = await withRota(options, (client) => listFailed(client, options));
        return print(options, page, (it) => `${tableOfFailed(it.results)}\n\n${end(it)}`);
      }
      const pages = await withRota(options, (client) =>
        Promise.all(statuses.map((status) => listOne(client, options, status))),
      );
      print(options, newestOf(pages, limit), (it) => `${tableOfTasks(it.results)}\n\n${end(it)}`);
    });
}

function listOne(client: RotaClient, options: ListOptions, status?: TaskStatus): Promise<ListPage<ListedTask>> {
  return listUntilFull(options.limit, options.before, (before, limit) =>
    request(client, 'tasks', { ...selectionOf(options, status), before, limit }),
  );
}

/** Details are asked for by hundreds. */
async function listFailed(client: RotaClient, options: ListOptions): Promise<ListPage<TaskView>> {
  const page = await listOne(client, options, 'failed');
  const found = new Map<string, TaskView>();
  for (let from = 0; from < page.results.length; from += 100) {
    const ids = page.results.slice(from, from + 100).map(({ id }) => id);
    for (const task of (await request(client, 'task-details', { ids })).results) found.set(task.id, task);
  }
  return { ...page, results: page.results.flatMap(({ id }) => found.get(id) ?? []) };
}

/** A list has one status: those of several are put together as far as each has come. */
function newestOf(pages: readonly ListPage<ListedTask>[], limit: number): ListPage<ListedTask> {
  if (pages.length === 1) return pages[0]!;
  const keyOf = ({ created_at, id }: ListedTask) => `${created_at}_${id}`;
  const ends = pages.flatMap(({ next }) => next ?? []).toSorted();
  const end = ends.at(-1) ?? null;
  const known = pages
    .flatMap(({ results }) => results)
    .filter((task) => end === null || keyOf(task) >= end)
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? 1 : -1));
  const results = known.slice(0, limit);
  const next = known.length > limit ? (results.length === 0 ? end : keyOf(results.at(-1)!)) : end;
  const looked = pages.flatMap(({ looked_at }) => looked_at ?? []);
  return {
    count: pages.reduce((total, { count }) => total + count, 0),
    count_is_least: pages.some(({ count_is_least }) => count_is_least),
    results,
    next,
    looked_at: looked.length === 0 ? null : looked.reduce((total, rows) => total + rows, 0),
    searched_to: looked.length === 0 || next === null ? null : next.slice(0, 27),
    at: pages[0]!.at,
  };
}

function tableOfTasks(tasks: readonly ListedTask[]): string {
  const rows = tasks.map(({ id, scheduler_id, status, organisation, data, created_at, streak }) => {
    const { plugin, ooi } = subjectOf(data);
    return [id, scheduler_id, status, organisation, plugin, ageOf(created_at), countOf(streak), ooi];
  });
  return tableOf(['TASK', 'SCHEDULER', 'STATUS', 'ORGANISATION', 'PLUGIN', 'AGE', 'FAILED', 'OOI'], rows);
}

function showCommand(): Command {
  return remoteCommand('show', 'everything about one task', 'rota tasks show 0e191e18-bc77-405f-8887-80f510304021')
    .argument('<id>', 'of the task')
    .action(async (id: string, options: RemoteOptions) => {
      const { results } = await withRota(options, (client) => request(client, 'task-details', { ids: [id] }));
      if (results.length === 0) throw new RotaError('NOT_FOUND', `there is no task ${id}`);
      print(options, results[0]!, renderDetails);
    });
}

const heldBy = (limit: string | null) =>
  limit === null ? 'held by a pause' : `held by ${limit} (rota limits list, rota windows list)`;

function renderDetails(task: TaskView): string {
  const { plugin, ooi } = subjectOf(task.data);
  const { lease, queue } = task;
  const place = queue === null ? null : queue.held ? heldBy(queue.limit) : aheadOf(queue);
  return fieldsOf([
    ['task', task.id],
    ['scheduler', task.scheduler_id],
    ['organisation', task.organisation],
    ['plugin', plugin],
    ['ooi', ooi],
    ['status', task.reason === null ? task.status : `${task.status} (${task.reason})`],
    ['priority', task.priority],
    ['created', `${moment(task.created_at)} (${ageOf(task.created_at)} ago)`],
    ['changed', `${moment(task.modified_at)} (${ageOf(task.modified_at)} ago)`],
    ['attempts', task.attempts],
    ...lastAttemptOf(task),
    ['not begun', task.unbegun === 0 ? null : `${task.unbegun} times: the worker that took it was not heard again`],
    ['in the queue', place],
    ['held by', lease === null ? null : holderOf(lease)],
    ['failures', failuresOf(task.streak)],
    ['schedule', task.schedule_id],
    ['hash', task.hash],
    ...earlierAttemptsOf(task),
  ]);
}

function aheadOf({ ahead, ahead_is_least: least }: NonNullable<TaskView['queue']>): string {
  return `${least ? 'at least ' : ''}${ahead} before it`;
}

function holderOf({ worker, via, until, begun }: NonNullable<TaskView['lease']>): string {
  const holder = `${worker ?? 'unnamed'} over ${via}`;
  const lease = Date.parse(until) > Date.now() ? `ends ${whenOf(until)}` : `ended ${whenOf(until)}; it goes back soon`;
  return begun ? `${holder}, ${lease}` : `${holder}, not begun, ${lease}`;
}
