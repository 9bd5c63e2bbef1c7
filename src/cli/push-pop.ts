import { type Command, Option } from 'commander';
import { errorCodes, RotaError } from '../errors.ts';
import type { ItemResult, TaskPush } from '../nats/client.ts';
import type { FilterRequest } from '../queue/filter/filter.ts';
import type { LeasedTask } from '../tasks/task.ts';
import { json, jsonOrUndefined, readInput, wholeNumber } from './arguments.ts';
import { print, remoteCommand, type RemoteOptions, withRota } from './remote.ts';
import { subjectOf, whenOf } from '../control/wording.ts';
import { tableOf } from './table.ts';

interface PushCommandOptions extends RemoteOptions {
  readonly scheduler?: string;
}

/** A task, and the scheduler that it is pushed to. */
interface PushedTask extends TaskPush {
  readonly scheduler_id?: string;
}

export function pushCommand(): Command {
  return remoteCommand('push', 'queue tasks from a file', 'rota push --scheduler boefje tasks.json')
    .argument('<file>', 'a task as JSON, a list of tasks, or one a line; - reads stdin')
    .option('--scheduler <id>', 'of tasks that name none in scheduler_id')
    .action(async (file: string, options: PushCommandOptions) => {
      const tasks = parseTasks(await readInput(file), file);
      const results = await withRota(options, async (client) => {
        const byScheduler = Map.groupBy(tasks, (task) => schedulerOf(task, options));
        const answers: ItemResult[] = [];
        for (const [scheduler, those] of byScheduler) answers.push(...(await client.push(scheduler, those)));
        return answers;
      });
      print(options, { results }, renderPushed);
      const refused = results.find((result) => 'error' in result);
      if (refused !== undefined && 'error' in refused) process.exitCode = errorCodes[refused.error.code].exit;
    });
}

function parseTasks(content: string, file: string): readonly PushedTask[] {
  const whole = jsonOrUndefined(content);
  if (Array.isArray(whole)) return whole as PushedTask[];
  if (whole !== undefined) return [whole as PushedTask];
  const lines = content.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, at) => {
    const task = jsonOrUndefined(line);
    if (task === undefined) throw new RotaError('INVALID_REQUEST', `${file}, line ${at + 1}: expected a task as JSON`);
    return task as PushedTask;
  });
}

function schedulerOf(task: PushedTask, options: PushCommandOptions): string {
  const scheduler = task.scheduler_id ?? options.scheduler;
  if (scheduler !== undefined) return scheduler;
  throw new RotaError('INVALID_REQUEST', 'a task names no scheduler_id: say --scheduler');
}

function renderPushed({ results }: { results: readonly ItemResult[] }): string {
  return tableOf(
    ['TASK', 'STATUS', 'WHY'],
    results.map((result) =>
      'error' in result ? [null, result.error.code, result.error.detail] : [result.id, result.status, null],
    ),
  );
}

interface PopCommandOptions extends RemoteOptions {
  readonly limit: number;
  readonly wait: number;
  readonly lease?: number;
  readonly filter?: FilterRequest;
}

/** `rota pop`: claims tasks as a worker does; they return to the queue when the lease ends. */
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
    .action(async (scheduler: string, options: PopCommandOptions) => {
      const results = await withRota(options, (client) =>
        client.pop(scheduler, {
          limit: options.limit,
          wait_ms: options.wait,
          worker: 'rota pop',
          ...(options.lease === undefined ? {} : { lease_ms: options.lease }),
          ...(options.filter === undefined ? {} : { filters: options.filter }),
        }),
      );
      print(options, { results }, renderPopped);
    });
}

function renderPopped({ results }: { results: readonly LeasedTask[] }): string {
  if (results.length === 0) return 'nothing to do';
  return tableOf(
    ['TASK', 'ORGANISATION', 'PLUGIN', 'LEASE', 'ENDS', 'OOI'],
    results.map((task) => {
      const { plugin, ooi } = subjectOf(task.data);
      return [task.id, task.organisation, plugin, task.lease_id, whenOf(task.lease_until), ooi];
    }),
  );
}
