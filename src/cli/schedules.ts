import { Command, Option } from 'commander';
import type { RotaClient } from '../nats/client.ts';
import type { ListedSchedule, ScheduleView } from '../protocol/operator-lists.ts';
import { type Schedule, type ScheduleState, scheduleStates } from '../tasks/task.ts';
import { oneOf, timestamp, wholeNumber } from './arguments.ts';
import { endOfList, listUntilFull } from './lists.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { countOf, failuresOf, moment, subjectOf, whenOf } from '../control/wording.ts';
import { fieldsOf, tableOf } from './table.ts';

export function schedulesCommand(): Command {
  const example = 'a5a7d6b4-9d8e-4c0a-8f6f-0b5c2c9f6c11';
  return new Command('schedules')
    .description('list, show, enable, disable, run and time schedules')
    .addHelpText('after', '\nExample:\n  rota schedules list --organisation acme --disabled')
    .addCommand(listCommand())
    .addCommand(
      oneSchedule('show', 'everything about one schedule', `rota schedules show ${example}`, (client, id) =>
        request(client, 'schedule-details', { id }),
      ),
    )
    .addCommand(
      oneSchedule('enable', 'enable a schedule', `rota schedules enable ${example}`, (client, id) =>
        request(client, 'enable-schedule', { id, enabled: true }),
      ),
    )
    .addCommand(
      oneSchedule(
        'disable',
        'disable a schedule until an operator enables it',
        `rota schedules disable ${example}`,
        (client, id) => request(client, 'enable-schedule', { id, enabled: false }),
      ),
    )
    .addCommand(
      oneSchedule('run-now', 'make a schedule due now', `rota schedules run-now ${example}`, (client, id) =>
        request(client, 'run-schedule', { id }),
      ),
    )
    .addCommand(setCronCommand(example));
}

interface ListOptions extends RemoteOptions {
  readonly scheduler?: string;
  readonly organisation?: string;
  readonly boefje?: string;
  readonly ooi?: string;
  readonly enabled?: boolean;
  readonly disabled?: boolean;
  readonly state?: ScheduleState;
  readonly from?: string;
  readonly to?: string;
  readonly after?: string;
  readonly limit: number;
}

function listCommand(): Command {
  return remoteCommand('list', 'schedules, by deadline', 'rota schedules list --organisation acme --state late')
    .option('--scheduler <id>', 'boefje or report')
    .option('--organisation <code>')
    .option('--boefje <id>')
    .option('--ooi <reference>', 'the whole reference of its OOI')
    .addOption(
      new Option('--state <state>', `${scheduleStates.join(', ')}; due is within the hour to come`).argParser(
        oneOf(scheduleStates),
      ),
    )
    .addOption(new Option('--enabled', 'only those').conflicts(['disabled', 'state']))
    .addOption(new Option('--disabled', 'only those').conflicts('state'))
    .addOption(new Option('--from <time>', 'due then or later: 2026-11-24 or 2026-11-24T12:00Z').argParser(timestamp))
    .addOption(new Option('--to <time>', 'due then or earlier').argParser(timestamp))
    .addOption(new Option('--limit <n>', 'at most so many, up to 500').default(20).argParser(wholeNumber(0, 500)))
    .option('--after <cursor>', 'go on where a list ended: `next` of its JSON')
    .action(async (given: ListOptions) => {
      const { scheduler, organisation, boefje, ooi, from, to, limit } = given;
      const state = given.state ?? (given.enabled ? 'enabled' : given.disabled ? 'disabled' : undefined);
      const options = { scheduler, organisation, boefje, ooi, state, from, to };
      const page = await withRota(given, (client) =>
        listUntilFull(limit, given.after, (after, missing) =>
          request(client, 'schedules', { ...options, after, limit: missing }),
        ),
      );
      const command = { newestFirst: false, command: 'schedules list', options: { ...options, limit } };
      print(given, page, (it) => `${tableOfSchedules(it.results)}\n\n${endOfList(it, command)}`);
    });
}

function tableOfSchedules(schedules: readonly ListedSchedule[]): string {
  const rows = schedules.map((it) => {
    const { plugin, ooi } = subjectOf(it.data);
    const { id, scheduler_id, organisation, schedule, deadline_at, streak } = it;
    return [id, scheduler_id, enabledOf(it), organisation, plugin, schedule, whenOf(deadline_at), countOf(streak), ooi];
  });
  const head = ['SCHEDULE', 'SCHEDULER', 'ENABLED', 'ORGANISATION', 'PLUGIN', 'CRON', 'NEXT', 'FAILED', 'OOI'];
  return tableOf(head, rows);
}

/** The answer about one schedule: only `show` answers the reason, and whether the cron is inherited. */
type Shown = Schedule & Partial<ScheduleView>;

function enabledOf({ enabled, disabled_reason: why = null }: Shown): string {
  if (enabled) return 'yes';
  return why === null ? 'no' : `no (${why})`;
}

function oneSchedule(
  name: string,
  description: string,
  example: string,
  ask: (client: RotaClient, id: string) => Promise<Shown>,
): Command {
  return remoteCommand(name, description, example)
    .argument('<id>', 'of the schedule')
    .action(async (id: string, options: RemoteOptions) => {
      const schedule = await withRota(options, (client) => ask(client, id));
      print<Shown>(options, schedule, renderDetails);
    });
}

function setCronCommand(example: string): Command {
  return remoteCommand(
    'set-cron',
    'give a schedule a cron of its own (UTC)',
    `rota schedules set-cron ${example} '0 3 * * *'`,
  )
    .argument('<id>', 'of the schedule')
    .argument('<cron>', 'five to seven fields, @daily, or none to take it away')
    .action(async (id: string, cron: string, options: RemoteOptions) => {
      const body = { id, cron: cron === 'none' ? null : cron };
      const schedule = await withRota(options, (client) => request(client, 'set-cron', body));
      print<Shown>(options, schedule, renderDetails);
    });
}

function renderDetails(schedule: Shown): string {
  const { plugin, ooi } = subjectOf(schedule.data);
  const cron = schedule.schedule === null ? null : `${schedule.schedule}${schedule.inherited ? " (the boefje's)" : ''}`;
  return fieldsOf([
    ['schedule', schedule.id],
    ['scheduler', schedule.scheduler_id],
    ['organisation', schedule.organisation],
    ['plugin', plugin],
    ['ooi', ooi],
    ['enabled', enabledOf(schedule)],
    ['cron', cron],
    ['next', `${moment(schedule.deadline_at)} (${whenOf(schedule.deadline_at)})`],
    ['failures', failuresOf(schedule.streak ?? null)],
    ['hash', schedule.hash],
  ]);
}
