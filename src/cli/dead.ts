import { Command, Option } from 'commander';
import { RotaError } from '../errors.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import { eventStreams } from '../tasks/task.ts';
import { oneOf, wholeNumber } from './arguments.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { ageOf } from '../control/wording.ts';
import { tableOf } from './table.ts';
import { confirm } from './terminal.ts';

interface ListOptions extends RemoteOptions {
  readonly limit: number;
}

/** `show` searches this many events of each stream. */
const mostShown = 1_000;

/** `rota dead …`: dead letters, the events of KAT that Rota gave up. */
export function deadCommand(): Command {
  return new Command('dead')
    .description('list, show, requeue and drop events that were given up')
    .addHelpText('after', '\nExample:\n  rota dead requeue --stream raw_file_received --yes')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(settleCommand('requeue', 'try events again from the beginning', 'rota dead requeue 17'))
    .addCommand(settleCommand('drop', 'remove events for good', 'rota dead drop 17 18'));
}

function listCommand(): Command {
  return remoteCommand('list', 'oldest first', 'rota dead list')
    .addOption(new Option('--limit <n>', 'of each stream at most').default(20).argParser(wholeNumber(1)))
    .action(async (options: ListOptions) => {
      const page = await withRota(options, (client) => request(client, 'dead-letters', { limit: options.limit }));
      print(options, page, ({ results }) =>
        tableOf(
          ['EVENT', 'STREAM', 'AGE', 'ATTEMPTS', 'ERROR'],
          results.map(({ id, stream, at, attempts, error }) => [id, stream, ageOf(at), attempts, error]),
        ),
      );
    });
}

function showCommand(): Command {
  return remoteCommand('show', 'an event, whole', 'rota dead show 17')
    .argument('<id>')
    .action(async (id: string, options: RemoteOptions) => {
      const { results } = await withRota(options, (client) =>
        request(client, 'dead-letters', { limit: mostShown, id }),
      );
      const found = results.find((letter) => letter.id === id);
      if (found === undefined) throw new RotaError('NOT_FOUND', `there is no dead event ${id}`);
      print(options, found, (it) => JSON.stringify(it, null, 2));
    });
}

interface SettleCommandOptions extends RemoteOptions {
  readonly stream?: EventStream;
  readonly yes?: boolean;
}

function settleCommand(action: 'requeue' | 'drop', description: string, example: string): Command {
  return remoteCommand(action, description, example)
    .argument('[ids...]', 'without any, all of --stream')
    .addOption(new Option('--stream <stream>', eventStreams.join(', ')).argParser(oneOf(eventStreams)))
    .option('--yes', 'do not ask')
    .action(async (ids: string[], { stream, yes, ...options }: SettleCommandOptions) => {
      if (ids.length === 0 && stream === undefined) {
        throw new RotaError('INVALID_REQUEST', 'expected ids, or --stream for all of one');
      }
      if (ids.length !== 1)
        await confirm(`${action} ${ids.length === 0 ? `all of ${stream}` : ids.length}?`, yes === true);
      const body = { action, stream, ...(ids.length === 0 ? {} : { ids }) };
      const answer = await withRota(options, (client) => request(client, 'settle-dead-letters', body));
      const missing = ids.find((id) => !answer.settled.includes(id));
      print(options, answer, ({ settled }) => `${settled.length} ${action === 'drop' ? 'dropped' : 'requeued'}`);
      if (missing !== undefined) throw new RotaError('NOT_FOUND', `there is no dead event ${missing}`);
    });
}
