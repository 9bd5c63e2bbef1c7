import { type Command, Option } from 'commander';
import { incidentsOf } from '../control/overview.ts';
import { moment } from '../control/wording.ts';
import type { TaskEvent } from '../nats/notifications.ts';
import type { AuditView } from '../protocol/operator-status.ts';
import { taskStatuses } from '../tasks/task.ts';
import { oneOf, wholeNumber } from './arguments.ts';
import { operators, print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { tableOf } from './table.ts';
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

interface AuditOptions extends RemoteOptions {
  readonly organisation?: string;
  readonly before?: string;
  readonly limit: number;
}

/** `rota audit`: who did what, of the last 90 days. */
export function auditCommand(): Command {
  return remoteCommand('audit', 'who did what, newest first', 'rota audit --organisation acme')
    .option('--organisation <code>', 'only what names it')
    .option('--before <id>', 'older than this entry')
    .addOption(new Option('--limit <n>', 'at most so many, up to 200').default(20).argParser(wholeNumber(1, 200)))
    .action(async ({ organisation, before, limit, ...options }: AuditOptions) => {
      const page = await withRota(options, (client) => request(client, 'audit', { organisation, before, limit }));
      print(options, page, ({ results }) => `${tableOf(head, results.map(rowOf))}${older(results, limit)}`);
    });
}

/** `rota incidents`: what broke, of the last 30 days. */
export function incidentsCommand(): Command {
  return remoteCommand('incidents', 'what broke and when it was well again, newest first', 'rota incidents --limit 5')
    .option('--before <id>', 'older than this entry')
    .addOption(new Option('--limit <n>', 'at most so many, up to 200').default(20).argParser(wholeNumber(1, 200)))
    .action(async ({ before, limit, ...options }: AuditOptions) => {
      const page = await withRota(options, async (client) =>
        incidentsOf(operators(client), await client.instances(), { before, limit }),
      );
      print(options, page, ({ results, unknown }) => {
        const rows = results.map((it) => [moment(it.at), it.instance, `${it.about} ${it.happened}`, it.why]);
        const missing =
          unknown === null ? '' : `\n\n${unknown}: this is what the supervisors remember since their start`;
        return `${tableOf(['AT', 'SUPERVISOR', 'WHAT', 'WHY'], rows)}${older(results, limit)}${missing}`;
      });
    });
}

const head = ['AT', 'BY', 'DID', 'WHAT'];

function rowOf({ at, by, command, fields, refused }: AuditView): readonly (string | null)[] {
  const what = Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [moment(at), by, refused === null ? command : `${command}: ${refused}`, what.join(' ')];
}

function older(results: readonly { readonly id: string }[], limit: number): string {
  const last = results.at(-1);
  return last === undefined || results.length < limit ? '' : `\n\nolder: --before ${last.id}`;
}
