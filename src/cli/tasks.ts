import { Command, Option } from 'commander';
import { codeOf, errorCodes, RotaError } from '../errors.ts';
import type { RotaClient } from '../nats/client.ts';
import type { ChangedTasks, ListedTask, Page, TaskAction, TaskView } from '../protocol/operator.ts';
import { type TaskStatus, taskStatuses } from '../tasks/task.ts';
import { duration, oneOf, wholeNumber } from './arguments.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { ageOf, countOf, failuresOf, fieldsOf, moment, subjectOf, tableOf, whenOf } from './table.ts';
import { confirm, line } from './terminal.ts';

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
  readonly limit: number;
  readonly offset: number;
}

function listCommand(): Command {
  return withSelection(
    remoteCommand('list', 'tasks, newest first', 'rota tasks list --status failed --organisation acme --limit 50'),
  )
    .addOption(new Option('--limit <n>', 'at most so many, up to 500').default(20).argParser(wholeNumber(0)))
    .addOption(new Option('--offset <n>', 'leave out so many').default(0).argParser(wholeNumber(0)))
    .action(async (options: ListOptions) => {
      const { limit, offset } = options;
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
    ['not begun', task.unbegun === 0 ? null : `${task.unbegun} times: the worker that took it was not heard again`],
    ['in the queue', place],
    ['held by', lease === null ? null : holderOf(lease)],
    ['failures', failuresOf(task.streak)],
    ['schedule', task.schedule_id],
    ['hash', task.hash],
  ]);
}

function holderOf({ worker, via, until, begun }: NonNullable<TaskView['lease']>): string {
  const holder = `${worker ?? 'unnamed'} over ${via}`;
  return begun ? `${holder}, ends ${whenOf(until)}` : `${holder}, not begun, ends ${whenOf(until)}`;
}

interface ChangeOptions extends RemoteOptions, SelectionOptions {
  readonly yes?: boolean;
}

/** The states of a selection without `--status`. Completed tasks are retried only by `--status completed`. */
const looksAt: Readonly<Record<TaskAction, readonly TaskStatus[]>> = {
  cancel: ['queued', 'dispatched', 'running', 'pending'],
  retry: ['failed'],
  release: ['dispatched', 'running'],
};

function changeCommand(action: TaskAction, description: string, example: string): Command {
  return withSelection(remoteCommand(action, description, example))
    .argument('[ids...]', 'of tasks; without any, the options below say which')
    .option('--yes', 'do not ask')
    .action(async (ids: string[], options: ChangeOptions) => {
      if ((ids.length === 0) === isEmpty(options)) {
        throw new RotaError('INVALID_REQUEST', 'expected either ids or at least one of the options that select tasks');
      }
      const changed = await withRota(options, (client) =>
        ids.length > 0 ? changeByIds(client, action, ids, options) : changeSelected(client, action, options),
      );
      print(options, changed, render(action));
      if (changed.changed === 0 && changed.refused.length > 0) {
        process.exitCode = errorCodes[codeOf(changed.refused[0])].exit;
      }
    });
}

async function changeByIds(
  client: RotaClient,
  action: TaskAction,
  ids: readonly string[],
  options: ChangeOptions,
): Promise<ChangedTasks> {
  if (ids.length > 1) await confirm(`${action} ${ids.length} tasks?`, options.yes === true);
  return request(client, 'change-tasks', { action, ids });
}

/** Batch after batch, until only refused tasks are left in the selection. */
async function changeSelected(client: RotaClient, action: TaskAction, options: ChangeOptions): Promise<ChangedTasks> {
  const statuses = options.status ?? looksAt[action];
  const selections = statuses.map((status) => ({ ...selectionOf(options), status }));
  let count = 0;
  for (const selection of selections) {
    count += (await request(client, 'tasks', { ...selection, limit: 0 })).count;
  }
  if (count === 0) return { changed: 0, refused: [] };
  await confirm(`${action} ${count} ${count === 1 ? 'task' : 'tasks'}?`, options.yes === true);
  let changed = 0;
  const refused: ChangedTasks['refused'][number][] = [];
  for (const selection of selections) {
    let offset = 0;
    while (true) {
      const batch = await request(client, 'change-selected-tasks', { action, ...selection, offset });
      if (batch.changed + batch.refused.length === 0) break;
      changed += batch.changed;
      refused.push(...batch.refused);
      offset += batch.refused.length;
    }
  }
  return { changed, refused };
}

const shown = 10;

function render(action: TaskAction): (changed: ChangedTasks) => string {
  return ({ changed, refused }) => {
    const lines = [`${changed} ${changed === 1 ? 'task' : 'tasks'} ${pastOf[action]}`];
    if (refused.length > 0) lines.push(`${refused.length} refused:`);
    for (const { detail } of refused.slice(0, shown)) lines.push(line`  ${detail}`);
    if (refused.length > shown) lines.push(`  … and ${refused.length - shown} more (--json shows all)`);
    return lines.join('\n');
  };
}

const pastOf: Readonly<Record<TaskAction, string>> = {
  cancel: 'cancelled',
  retry: 'queued again',
  release: 'released',
};

/** Options that select tasks. */
interface SelectionOptions {
  readonly scheduler?: string;
  readonly organisation?: string;
  readonly boefje?: string;
  readonly ooi?: string;
  readonly status?: readonly TaskStatus[];
  readonly olderThan?: number;
}

function withSelection(command: Command): Command {
  return command
    .option('--scheduler <id>', 'boefje, normalizer, report, …')
    .option('--organisation <code>')
    .option('--boefje <id>', 'or normalizer, or report recipe')
    .option('--ooi <text>', 'a part of the reference of its OOI')
    .addOption(new Option('--status <status>', `${taskStatuses.join(', ')}; may be repeated`).argParser(addStatus))
    .addOption(new Option('--older-than <duration>', 'since it was made, such as 30m or 7d').argParser(duration));
}

function addStatus(text: string, before: readonly TaskStatus[] = []): readonly TaskStatus[] {
  return [...new Set([...before, oneOf(taskStatuses)(text)])];
}

/** The request's fields; JSON omits undefined ones. */
function selectionOf({ scheduler, organisation, boefje, ooi, status, olderThan }: SelectionOptions, of = status?.[0]) {
  return { scheduler, organisation, plugin: boefje, ooi, status: of, older_than_seconds: olderThan };
}

function isEmpty(options: SelectionOptions): boolean {
  return Object.values(selectionOf(options)).every((value) => value === undefined);
}
