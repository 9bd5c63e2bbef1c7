import type { Command } from 'commander';
import { errorCodes, RotaError } from '../errors.ts';
import type { ItemResult, TaskPush } from '../nats/client.ts';
import { parseJson, readInput } from './input.ts';
import { print, remoteCommand, type RemoteOptions, withRota } from './remote.ts';
import { tableOf } from './table.ts';

interface PushOptions extends RemoteOptions {
  readonly scheduler?: string;
}

/** A task as it is pushed, and where to. */
interface PushedTask extends TaskPush {
  readonly scheduler_id?: string;
}

/** `rota push`: tasks from a file. */
export function pushCommand(): Command {
  return remoteCommand('push', 'queue tasks from a file', 'rota push --scheduler boefje tasks.json')
    .argument('<file>', 'a task as JSON, a list of tasks, or one a line; - reads stdin')
    .option('--scheduler <id>', 'of tasks that name none in scheduler_id')
    .action(async (file: string, options: PushOptions) => {
      const tasks = parseTasks(await readInput(file), file);
      const results = await withRota(options, async (client) => {
        const byScheduler = Map.groupBy(tasks, (task) => schedulerOf(task, options));
        const answers: ItemResult[] = [];
        for (const [scheduler, those] of byScheduler) answers.push(...(await client.push(scheduler, those)));
        return answers;
      });
      print(options, { results }, render);
      const refused = results.find((result) => 'error' in result);
      if (refused !== undefined && 'error' in refused) process.exitCode = errorCodes[refused.error.code].exit;
    });
}

function parseTasks(content: string, file: string): readonly PushedTask[] {
  const whole = parseJson(content);
  if (Array.isArray(whole)) return whole as PushedTask[];
  if (whole !== undefined) return [whole as PushedTask];
  const lines = content.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, at) => {
    const task = parseJson(line);
    if (task === undefined) throw new RotaError('INVALID_REQUEST', `${file}, line ${at + 1}: expected a task as JSON`);
    return task as PushedTask;
  });
}

function schedulerOf(task: PushedTask, options: PushOptions): string {
  const scheduler = task.scheduler_id ?? options.scheduler;
  if (scheduler !== undefined) return scheduler;
  throw new RotaError('INVALID_REQUEST', 'a task names no scheduler_id: say --scheduler');
}

function render({ results }: { results: readonly ItemResult[] }): string {
  return tableOf(
    ['TASK', 'STATUS', 'WHY'],
    results.map((result) =>
      'error' in result ? [null, result.error.code, result.error.detail] : [result.id, result.status, null],
    ),
  );
}
