import { type Command, Option } from 'commander';
import type { TaskEvent } from '../nats/notifications.ts';
import { taskStatuses } from '../tasks/task.ts';
import { oneOf, wholeNumber } from './arguments.ts';
import { remoteCommand, type RemoteOptions, withRota } from './remote.ts';
import { line, write, writeJson } from './terminal.ts';

interface EventOptions extends RemoteOptions {
  readonly scheduler?: string;
  readonly organisation?: string;
  readonly event?: string;
  readonly count?: number;
}

/** The status that tasks now have, or that their permission ended while a worker has them. */
const eventNames = [...taskStatuses, 'revoked'] as const;

/** `rota events`: follows the events of tasks; prints a line per task, or a line of JSON per set of tasks. */
export function eventsCommand(): Command {
  return remoteCommand(
    'events',
    'follow what happens to tasks; Ctrl-C ends it',
    'rota events --scheduler boefje --event failed --organisation acme',
  )
    .option('--scheduler <id>')
    .option('--organisation <code>')
    .addOption(new Option('--event <event>', eventNames.join(', ')).argParser(oneOf(eventNames)))
    .addOption(new Option('--count <n>', 'end after so many sets').argParser(wholeNumber(1)))
    .action(async (options: EventOptions) => {
      const { prefix, scheduler = '*', event = '*' } = options;
      await withRota(options, async ({ connection }) => {
        const subscription = connection.subscribe(`${prefix}.event.${scheduler}.${event}`);
        const stop = () => subscription.unsubscribe();
        process.once('SIGINT', stop).once('SIGTERM', stop).once('SIGHUP', stop);
        await connection.flush();
        if (options.json !== true) write('listening\n', 'err');
        let seen = 0;
        for await (const message of subscription) {
          const shown = chosen(message.json<TaskEvent>(), options);
          if (shown.tasks.length === 0) continue;
          if (options.json === true) writeJson(shown);
          else write(lines(shown));
          if (++seen === options.count) break;
        }
      });
    });
}

function chosen(event: TaskEvent, { organisation }: EventOptions): TaskEvent {
  if (organisation === undefined) return event;
  return { ...event, tasks: event.tasks.filter((task) => task.organisation === organisation) };
}

function lines({ scheduler, event, at, via, reason, tasks }: TaskEvent): string {
  const how = reason ?? via;
  const what = `${event}${how === undefined ? '' : ` (${how})`}`;
  return tasks
    .map(({ id, organisation }) => line`${at}  ${scheduler}  ${what}  ${organisation}  ${id}`.concat('\n'))
    .join('');
}
