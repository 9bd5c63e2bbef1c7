import { type Command, Option } from 'commander';
import { codeOf, errorCodes, RotaError } from '../errors.ts';
import type { RotaClient } from '../nats/client.ts';
import type { ChangedTasks, TaskAction } from '../protocol/operator-lists.ts';
import { pastOf, selectedStatuses } from '../control/task-actions.ts';
import { type TaskStatus, taskStatuses } from '../tasks/task.ts';
import { duration, oneOf, timestamp } from './arguments.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { confirm, createProgress, line } from './terminal.ts';

interface ChangeOptions extends RemoteOptions, SelectionOptions {
  readonly why?: string;
  readonly yes?: boolean;
}

export function changeCommand(action: TaskAction, description: string, example: string): Command {
  return withSelection(remoteCommand(action, description, example))
    .argument('[ids...]', 'of tasks; without any, the options below say which')
    .option('--why <text>', 'kept on the tasks, for people')
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
  return request(client, 'change-tasks', { action, ids: [...ids], why: options.why });
}

/** Batch after batch, as the selection was when it was counted: tasks that are made meanwhile stay as they are. */
async function changeSelected(client: RotaClient, action: TaskAction, options: ChangeOptions): Promise<ChangedTasks> {
  const statuses = options.status ?? selectedStatuses[action];
  const selections = statuses.map((status) => ({ ...selectionOf(options), status }));
  let count = 0;
  let least = false;
  let madeUntil: string | undefined;
  for (const selection of selections) {
    const page = await request(client, 'tasks', { ...selection, limit: 0 });
    count += page.count;
    least ||= page.count_is_least;
    madeUntil ??= page.at;
  }
  if (count === 0 && !least) return { changed: 0, refused: [] };
  const many = `${least ? 'at least ' : ''}${count} ${count === 1 ? 'task' : 'tasks'}`;
  await confirm(`${action} ${many}?`, options.yes === true);
  let changed = 0;
  const refused: ChangedTasks['refused'][number][] = [];
  const progress = createProgress('err');
  for (const selection of selections) {
    let before: string | undefined;
    do {
      const body = { action, ...selection, before, made_until: madeUntil, why: options.why };
      const batch = await request(client, 'change-selected-tasks', body);
      changed += batch.changed;
      refused.push(...batch.refused);
      before = batch.next ?? undefined;
      if (before !== undefined) progress.show(`${changed} of ${least ? 'at least ' : ''}${count} ${pastOf[action]}`);
    } while (before !== undefined);
  }
  progress.end();
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

/** Options that select tasks. */
export interface SelectionOptions {
  readonly scheduler?: string;
  readonly organisation?: string;
  readonly boefje?: string;
  readonly ooi?: string;
  readonly wholeOoi?: string;
  readonly from?: string;
  readonly to?: string;
  readonly status?: readonly TaskStatus[];
  readonly olderThan?: number;
}

export function withSelection(command: Command): Command {
  return command
    .option('--scheduler <id>', 'boefje, normalizer, report, …')
    .option('--organisation <code>')
    .option('--boefje <id>', 'or normalizer, or report recipe')
    .option('--ooi <text>', 'a part of the reference of its OOI')
    .option('--whole-ooi <reference>', 'the whole reference; with organisation and --scheduler boefje found at once')
    .addOption(new Option('--from <time>', 'made then or later: 2026-11-24 or 2026-11-24T12:00Z').argParser(timestamp))
    .addOption(new Option('--to <time>', 'made then or earlier').argParser(timestamp))
    .addOption(new Option('--status <status>', `${taskStatuses.join(', ')}; may be repeated`).argParser(addStatus))
    .addOption(new Option('--older-than <duration>', 'since it was made, such as 30m or 7d').argParser(duration));
}

const addStatus = Object.assign(
  (text: string, before: readonly TaskStatus[] = []): readonly TaskStatus[] => [
    ...new Set([...before, oneOf(taskStatuses)(text)]),
  ],
  { choices: taskStatuses },
);

/** The request's fields; JSON omits undefined ones. */
export function selectionOf(
  { scheduler, organisation, boefje, ooi, wholeOoi, from, to, status, olderThan }: SelectionOptions,
  of = status?.[0],
) {
  const ooiAndTime = { ooi, whole_ooi: wholeOoi, from, to };
  return { scheduler, organisation, plugin: boefje, ...ooiAndTime, status: of, older_than_seconds: olderThan };
}

/** The same as options, for a command that is printed. */
export function optionsOf({ wholeOoi, olderThan, ...options }: SelectionOptions) {
  const { scheduler, organisation, boefje, ooi, from, to, status } = options;
  const older = olderThan === undefined ? undefined : `${olderThan}s`;
  return { scheduler, organisation, boefje, ooi, 'whole-ooi': wholeOoi, from, to, status, 'older-than': older };
}

function isEmpty(options: SelectionOptions): boolean {
  return Object.values(selectionOf(options)).every((value) => value === undefined);
}
