import { type Command, Option } from 'commander';
import { type TaskStatus, taskStatuses } from '../../tasks/task.ts';
import { duration, oneOf } from '../arguments.ts';

/** Options that name tasks by what they are about. */
export interface SelectionOptions {
  readonly scheduler?: string;
  readonly organisation?: string;
  readonly boefje?: string;
  readonly ooi?: string;
  readonly status?: TaskStatus;
  readonly olderThan?: number;
}

export function withSelection(command: Command): Command {
  return command
    .option('--scheduler <id>', 'boefje, normalizer, report, …')
    .option('--organisation <code>')
    .option('--boefje <id>', 'or normalizer, or report recipe')
    .option('--ooi <text>', 'a part of the reference of its OOI')
    .addOption(new Option('--status <status>', taskStatuses.join(', ')).argParser(oneOf(taskStatuses)))
    .addOption(new Option('--older-than <duration>', 'since it was made, such as 30m or 7d').argParser(duration));
}

/** As it travels; JSON leaves out what is undefined. */
export function selectionOf({ scheduler, organisation, boefje, ooi, status, olderThan }: SelectionOptions) {
  return { scheduler, organisation, plugin: boefje, ooi, status, older_than_seconds: olderThan };
}

export function isEmpty(options: SelectionOptions): boolean {
  return Object.values(selectionOf(options)).every((value) => value === undefined);
}
