import { type Command, Option } from 'commander';
import type { FilterRequest } from '../queue/filter/filter.ts';
import type { LeasedTask } from '../tasks/task.ts';
import { json, wholeNumber } from './arguments.ts';
import { whenOf } from './format.ts';
import { print, remoteCommand, type RemoteOptions, withRota } from './remote.ts';
import { tableOf } from './table.ts';
import { subjectOf } from './tasks/subject.ts';

interface PopOptions extends RemoteOptions {
  readonly limit: number;
  readonly wait: number;
  readonly lease?: number;
  readonly filter?: FilterRequest;
}

/** `rota pop`: a worker by hand. What it is given goes back to the queue when the lease ends. */
export function popCommand(): Command {
  return remoteCommand(
    'pop',
    'claim tasks as a worker does; they go back to the queue when their lease ends',
    `rota pop boefje --wait 5000 --filter '{"filters":[{"column":"organisation","operator":"==","value":"acme"}]}'`,
  )
    .argument('<scheduler>')
    .addOption(new Option('--limit <n>', 'units at most').default(1).argParser(wholeNumber(1)))
    .addOption(new Option('--wait <ms>', 'for the first one').default(0).argParser(wholeNumber(0)))
    .addOption(
      new Option(
        '--lease <ms>',
        'how long they are kept from others: a minute at most until a heartbeat or patch',
      ).argParser(wholeNumber(100)),
    )
    .addOption(new Option('--filter <json>', 'a FilterRequest').argParser(json))
    .action(async (scheduler: string, options: PopOptions) => {
      const results = await withRota(options, (client) =>
        client.pop(scheduler, {
          limit: options.limit,
          wait_ms: options.wait,
          worker: 'rota pop',
          ...(options.lease === undefined ? {} : { lease_ms: options.lease }),
          ...(options.filter === undefined ? {} : { filters: options.filter }),
        }),
      );
      print(options, { results }, render);
    });
}

function render({ results }: { results: readonly LeasedTask[] }): string {
  if (results.length === 0) return 'nothing to do';
  return tableOf(
    ['TASK', 'ORGANISATION', 'PLUGIN', 'LEASE', 'ENDS', 'OOI'],
    results.map((task) => {
      const { plugin, ooi } = subjectOf(task.data);
      return [task.id, task.organisation, plugin, task.lease_id, whenOf(task.lease_until), ooi];
    }),
  );
}
