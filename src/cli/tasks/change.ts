import type { Command } from 'commander';
import { errorCodes, RotaError, codeOf } from '../../errors.ts';
import type { RotaClient } from '../../nats/client.ts';
import type { TaskStatus } from '../../tasks/task.ts';
import { confirm } from '../confirm.ts';
import { print, remoteCommand, type RemoteOptions, tell, withRota } from '../remote.ts';
import { line } from '../terminal.ts';
import { isEmpty, selectionOf, type SelectionOptions, withSelection } from './selection.ts';

type Action = 'cancel' | 'retry' | 'release';

interface ChangeOptions extends RemoteOptions, SelectionOptions {
  readonly yes?: boolean;
}

/** `rota tasks cancel|retry|release --json`. */
interface Changed {
  readonly changed: number;
  readonly refused: readonly { readonly id: string; readonly code: string; readonly detail: string }[];
}

/** In which states a selection without a status looks. What is completed is only retried where somebody asks for it. */
const looksAt: Readonly<Record<Action, readonly TaskStatus[]>> = {
  cancel: ['queued', 'dispatched', 'running', 'pending'],
  retry: ['failed'],
  release: ['dispatched', 'running'],
};

export function changeCommand(action: Action, description: string, example: string): Command {
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
  action: Action,
  ids: readonly string[],
  options: ChangeOptions,
): Promise<Changed> {
  if (ids.length > 1) await confirm(`${action} ${ids.length} tasks?`, options.yes === true);
  return tell<Changed>(client, 'change-tasks', { action, ids });
}

/** Batch after batch, until a selection has none left but those that were refused. */
async function changeSelected(client: RotaClient, action: Action, options: ChangeOptions): Promise<Changed> {
  const statuses = options.status === undefined ? looksAt[action] : [options.status];
  const selections = statuses.map((status) => ({ ...selectionOf(options), status }));
  let count = 0;
  for (const selection of selections) {
    count += (await tell<{ count: number }>(client, 'tasks', { ...selection, limit: 0 })).count;
  }
  if (count === 0) return { changed: 0, refused: [] };
  await confirm(`${action} ${count} ${count === 1 ? 'task' : 'tasks'}?`, options.yes === true);
  let changed = 0;
  const refused: Changed['refused'][number][] = [];
  for (const selection of selections) {
    let offset = 0;
    while (true) {
      const batch = await tell<Changed>(client, 'change-selected-tasks', { action, ...selection, offset });
      if (batch.changed + batch.refused.length === 0) break;
      changed += batch.changed;
      refused.push(...batch.refused);
      offset += batch.refused.length;
    }
  }
  return { changed, refused };
}

const shown = 10;

function render(action: Action): (changed: Changed) => string {
  return ({ changed, refused }) => {
    const lines = [`${changed} ${changed === 1 ? 'task' : 'tasks'} ${pastOf[action]}`];
    if (refused.length > 0) lines.push(`${refused.length} refused:`);
    for (const { detail } of refused.slice(0, shown)) lines.push(line`  ${detail}`);
    if (refused.length > shown) lines.push(`  … and ${refused.length - shown} more (--json shows all)`);
    return lines.join('\n');
  };
}

const pastOf: Readonly<Record<Action, string>> = { cancel: 'cancelled', retry: 'queued again', release: 'released' };
