import { Command, Option } from 'commander';
import { RotaError } from '../errors.ts';
import type { RotaClient } from '../nats/client.ts';
import type { ListedTask, Page, TaskView } from '../protocol/operator-lists.ts';
import type { TaskStatus } from '../tasks/task.ts';
import { wholeNumber } from './arguments.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { changeCommand, selectionOf, type SelectionOptions, withSelection } from './selected-tasks.ts';
import { ageOf, countOf, failuresOf, moment, subjectOf, whenOf } from '../control/wording.ts';
import { earlierAttemptsOf, fieldsOf, lastAttemptOf, renderFailed, tableOf } from './table.ts';

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
  readonly offset: number;
}

function listCommand(): Command {
  return withSelection(
    remoteCommand('list', 'tasks, newest first', 'rota tasks list --status failed --organisation acme --limit 50'),
  )
    .addOption(new Option('--limit <n>', 'at most so many, up to 500').default(20).argParser(wholeNumber(0)))
    .addOption(new Option('--offset <n>', 'leave out so many').default(0).argParser(wholeNumber(0)))
    .addOption(new Option('--failed', 'those that failed, with why and by whom').conflicts('status'))
    .action(async (options: ListOptions) => {
      const { limit, offset } = options;
      if (options.failed) return print(options, await withRota(options, (c) => listFailed(c, options)), renderFailed);
      const { status: statuses = [undefined] } = options;
      if (statuses.length > 1 && limit + offset > mostListed) {
        throw new RotaError('INVALID_REQUEST', `of more than one --status the first ${mostListed} are listed`);
      }
      const [only, ...more] = statuses;
      const page = await withRota(options, (client) =>
        more.length === 0
          ? request(client, 'tasks', { ...selectionOf(options, only), limit, offset })
          : newestOf(client, options, statuses),
      );
      print(options, page, renderPage);
    });
}

/** Details are asked for by hundreds. */
async function listFailed(client: RotaClient, { limit, offset, ...options }: ListOptions): Promise<Page<TaskView>> {
  const page = await request(client, 'tasks', { ...selectionOf(options), status: 'failed', limit, offset });
  const found = new Map<string, TaskView>();
  for (let from = 0; from < page.results.length; from += 100) {
    const ids = page.results.slice(from, from + 100).map(({ id }) => id);
    for (const task of (await request(client, 'task-details', { ids })).results) found.set(task.id, task);
  }
  return { count: page.count, results: page.results.flatMap(({ id }) => found.get(id) ?? []) };
}

/** Of one request. */
const mostListed = 500;

/** A list has one status: those of several are put together here. */
async function newestOf(
  client: RotaClient,
  options: ListOptions,
  statuses: readonly (TaskStatus | undefined)[],
): Promise<Page<ListedTask>> {
  const until = options.offset + options.limit;
  const pages = await Promise.all(
    statuses.map((status) => request(client, 'tasks', { ...selectionOf(options, status), limit: until })),
  );
  const newest = pages
    .flatMap(({ results }) => results)
    .toSorted((a, b) => (a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : 0));
  return {
    count: pages.reduce((total, { count }) => total + count, 0),
    results: newest.slice(options.offset, until),
  };
}

function renderPage({ count, results }: Page<ListedTask>): string {
  const rows = results.map(({ id, scheduler_id, status, organisation, data, created_at, streak }) => {
    const { plugin, ooi } = subjectOf(data);
    return [id, scheduler_id, status, organisation, plugin, ageOf(created_at), countOf(streak), ooi];
  });
  const table = tableOf(['TASK', 'SCHEDULER', 'STATUS', 'ORGANISATION', 'PLUGIN', 'AGE', 'FAILED', 'OOI'], rows);
  return `${table}\n\n${results.length} of ${count}`;
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

function renderDetails(task: TaskView): string {
  const { plugin, ooi } = subjectOf(task.data);
  const { lease, queue } = task;
  const place = queue === null ? null : queue.held ? 'held by a pause' : `${queue.ahead} before it`;
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

function holderOf({ worker, via, until, begun }: NonNullable<TaskView['lease']>): string {
  const holder = `${worker ?? 'unnamed'} over ${via}`;
  const lease = Date.parse(until) > Date.now() ? `ends ${whenOf(until)}` : `ended ${whenOf(until)}; it goes back soon`;
  return begun ? `${holder}, ${lease}` : `${holder}, not begun, ${lease}`;
}
