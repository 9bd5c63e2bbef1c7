import { Command, Option } from 'commander';
import { RotaError } from '../errors.ts';
import type { Task } from '../tasks/task.ts';
import { wholeNumber } from './arguments.ts';
import { ageOf, moment, whenOf } from './format.ts';
import { print, remoteCommand, type RemoteOptions, tell, withRota } from './remote.ts';
import { fieldsOf, tableOf } from './table.ts';
import { changeCommand } from './tasks/change.ts';
import { selectionOf, type SelectionOptions, withSelection } from './tasks/selection.ts';
import { subjectOf } from './tasks/subject.ts';

/** `rota tasks …`: what there is, and what to do with it. */
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

/** `rota tasks list --json`. */
interface TaskPage {
  readonly count: number;
  readonly results: readonly Task[];
}

function listCommand(): Command {
  return withSelection(
    remoteCommand('list', 'tasks, newest first', 'rota tasks list --status failed --organisation acme --limit 50'),
  )
    .addOption(new Option('--limit <n>', 'at most so many, up to 500').default(20).argParser(wholeNumber(0)))
    .addOption(new Option('--offset <n>', 'leave out so many').default(0).argParser(wholeNumber(0)))
    .action(async (options: ListOptions) => {
      const { limit, offset } = options;
      const page = await withRota(options, (client) =>
        tell<TaskPage>(client, 'tasks', { ...selectionOf(options), limit, offset }),
      );
      print(options, page, renderPage);
    });
}

function renderPage({ count, results }: TaskPage): string {
  const rows = results.map(({ id, scheduler_id, status, organisation, data, created_at }) => {
    const { plugin, ooi } = subjectOf(data);
    return [id, scheduler_id, status, organisation, plugin, ageOf(created_at), ooi];
  });
  const table = tableOf(['TASK', 'SCHEDULER', 'STATUS', 'ORGANISATION', 'PLUGIN', 'AGE', 'OOI'], rows);
  return `${table}\n\n${results.length} of ${count}`;
}

/** `rota tasks show --json`: the task, and what only operators see. */
interface TaskDetails extends Task {
  readonly reason: string | null;
  readonly attempts: number;
  readonly unbegun: number;
  readonly lease: {
    readonly id: string;
    readonly worker: string | null;
    readonly via: string;
    readonly until: string;
    readonly begun: boolean;
  } | null;
  readonly queue: { readonly held: boolean; readonly ahead: number | null } | null;
}

function showCommand(): Command {
  return remoteCommand('show', 'everything about one task', 'rota tasks show 0e191e18-bc77-405f-8887-80f510304021')
    .argument('<id>', 'of the task')
    .action(async (id: string, options: RemoteOptions) => {
      const { results } = await withRota(options, (client) =>
        tell<{ results: TaskDetails[] }>(client, 'task-details', { ids: [id] }),
      );
      if (results.length === 0) throw new RotaError('NOT_FOUND', `there is no task ${id}`);
      print(options, results[0]!, renderDetails);
    });
}

function renderDetails(task: TaskDetails): string {
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
    ['not begun', task.unbegun === 0 ? null : `${task.unbegun} times: whoever took it said nothing more`],
    ['in the queue', place],
    ['held by', lease === null ? null : holderOf(lease)],
    ['schedule', task.schedule_id],
    ['hash', task.hash],
  ]);
}

function holderOf({ worker, via, until, begun }: NonNullable<TaskDetails['lease']>): string {
  const holder = `${worker ?? 'unnamed'} over ${via}`;
  return begun ? `${holder}, ends ${whenOf(until)}` : `${holder}, not begun, ends ${whenOf(until)}`;
}
