import { RotaError } from '../errors.ts';
import type { TaskStatus } from '../tasks/status.ts';
import { addRange, Conditions } from './conditions.ts';
import type { Filter, FilterRequest } from './filter.ts';
import { compileFilter } from './filter-sql.ts';
import { type Page, type PageRequest, readPage } from './page.ts';
import { databaseError, query, type Sql, statement } from './postgres.ts';
import { taskSource } from './task-sources.ts';
import { readTaskStats, type TaskStats } from './task-stats.ts';

export interface TaskQuery extends PageRequest {
  readonly schedulerId?: string | undefined;
  readonly organisation?: string | undefined;
  readonly type?: string | undefined;
  readonly status?: TaskStatus | undefined;
  readonly minCreatedAt?: Date | undefined;
  readonly maxCreatedAt?: Date | undefined;
  /** Part of the OOI's reference, in any case. */
  readonly inputOoi?: string | undefined;
  /** Id of the boefje or normalizer, or the report recipe. */
  readonly pluginId?: string | undefined;
  readonly filters?: FilterRequest | null | undefined;
}

export interface SchedulerOverview {
  readonly scheduler: string;
  readonly queued: number;
  /** When it last queued or handed out a task, `YYYY-MM-DDTHH:MM:SS.ffffffZ`; null where never. */
  readonly lastActivity: string | null;
}

/** What people look at: lists, statistics, queue sizes. Reads only; rows are JSON text (kat-contract §1). */
export interface TaskLists {
  /** Newest first. @throws RotaError BAD_REQUEST, INVALID_FILTER */
  tasks(request: TaskQuery): Promise<Page>;
  /** Tasks by hour of their last change and by status, of the last 24 hours, newest hour first. */
  stats(of: { schedulerId?: string | undefined; organisations?: readonly string[] | undefined }): Promise<TaskStats>;
  /** One per scheduler, in the order asked for. */
  overview(schedulers: readonly string[]): Promise<readonly SchedulerOverview[]>;
}

export function createTaskLists(sql: Sql): TaskLists {
  return {
    tasks: async (request) => listTasks(sql, request),
    stats: (of) => readTaskStats(sql, of),
    async overview(schedulers) {
      try {
        return await query<SchedulerOverview>(sql, statement('scheduler-overview'), [schedulers]);
      } catch (error) {
        throw databaseError(error);
      }
    },
  };
}

function listTasks(sql: Sql, request: TaskQuery): Promise<Page> {
  const { minCreatedAt: min, maxCreatedAt: max } = request;
  if (min !== undefined && max !== undefined && min > max) {
    throw new RotaError('BAD_REQUEST', 'min_created_at must be less than max_created_at');
  }
  const source = taskSource(request.status);
  const conditions = new Conditions();
  if (source.status !== null) conditions.add(source.status);
  if (request.schedulerId !== undefined)
    conditions.add(`${source.scheduler} = ${conditions.bind(request.schedulerId)}`);
  if (request.organisation !== undefined)
    conditions.add(`${source.organisation} = ${conditions.bind(request.organisation)}`);
  addRange(conditions, source.createdAt, { min, max });
  const { organisations, rest } = splitOrganisations(request.filters);
  for (const value of organisations) conditions.add(`${source.organisation} = ${conditions.bind(value)}`);
  const needsTask = addTaskConditions(conditions, request, rest);
  return readPage(
    sql,
    {
      from: needsTask ? source.from + source.join : source.from,
      id: source.id,
      createdAt: source.createdAt,
      table: 'tasks',
      json: 'rota_task_json',
    },
    conditions,
    request,
  );
}

/** Rocky names the organisation in a filter: on the source's own column it is counted from an index alone. */
function splitOrganisations(request: FilterRequest | null | undefined): {
  organisations: readonly string[];
  rest: FilterRequest | null;
} {
  if (request === null || request === undefined) return { organisations: [], rest: null };
  const groups = 'length' in request.filters ? { and: request.filters } : request.filters;
  const organisations: string[] = [];
  const and = (groups.and ?? []).filter((filter) => {
    if (!isOrganisation(filter)) return true;
    organisations.push(filter.value as string);
    return false;
  });
  const empty = and.length + (groups.or?.length ?? 0) + (groups.not?.length ?? 0) === 0;
  return { organisations, rest: empty ? null : { filters: { ...groups, and } } };
}

function isOrganisation({ column, field, operator, value }: Filter): boolean {
  const plain = field === undefined || field === null || field === '' || field === 'organisation';
  const storable = typeof value === 'string' && !value.includes('\0');
  return column === 'organisation' && plain && (operator === '==' || operator === 'eq') && storable;
}

/** Conditions on alias t. @returns whether there are any. */
function addTaskConditions(conditions: Conditions, request: TaskQuery, filters: FilterRequest | null): boolean {
  const { schedulerId, type, inputOoi, pluginId } = request;
  const searches = inputOoi !== undefined || pluginId !== undefined || filters !== null;
  // A scheduler named after its type has tasks of that type only. Asking anyway would read every task for a count;
  // where a task's data is read the type is asked as a literal, since the partial index on OOIs needs it.
  const implied = type === schedulerId && !searches;
  if (type !== undefined && !implied) {
    conditions.add(ooiOf.has(type) ? `t.type = '${type}'` : `t.type = ${conditions.bind(type)}`);
  }
  if (inputOoi !== undefined) {
    const pattern = `%${inputOoi.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
    conditions.add(`${expression(ooiOf, type)} ILIKE ${conditions.bind(pattern)}`);
  }
  if (pluginId !== undefined) conditions.add(`${expression(pluginOf, type)} = ${conditions.bind(pluginId)}`);
  if (filters !== null) {
    conditions.append(compileFilter(filters, { target: 'tasks', firstParameter: conditions.nextParameter }));
  }
  return searches || (type !== undefined && !implied);
}

const ooiOf: ReadonlyMap<string, string> = new Map([
  ['boefje', `(t.data ->> 'input_ooi')`],
  ['normalizer', `(t.data #>> '{raw_data,boefje_meta,input_ooi}')`],
]);

const pluginOf: ReadonlyMap<string, string> = new Map([
  ['boefje', `(t.data -> 'boefje' ->> 'id')`],
  ['normalizer', `(t.data -> 'normalizer' ->> 'id')`],
  ['report', `(t.data ->> 'report_recipe_id')`],
]);

function expression(byType: ReadonlyMap<string, string>, type: string | undefined): string {
  return byType.get(type ?? '') ?? `coalesce(${[...byType.values()].join(', ')})`;
}
