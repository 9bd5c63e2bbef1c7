import { type BoundedCounts, countedAtLook, queueSizeOf, queueSizeStatement } from './queue-size.ts';
import { type PagePools, query, type Sql, transact } from '../../postgres/pool.ts';
import type { TaskStatus } from '../../tasks/task.ts';
import { compileFilter } from '../filter/compile.ts';
import { type Filter, type FilterRequest, groupsOf } from '../filter/filter.ts';
import { readTaskStats, type StatsQuery } from '../maintenance/counts.ts';
import type { KeysetPage } from './keyset.ts';
import { addRange, Conditions, type ListBounds, type JsonPage, readPage } from './page.ts';
import { containsText, hasOoi, ooiExpression, pluginExpression } from './task-columns.ts';
import { searchTasks, type TaskSearch } from './task-search.ts';

export interface TaskListQuery extends ListBounds {
  readonly schedulerId?: string;
  readonly organisation?: string;
  readonly taskType?: string;
  readonly status?: TaskStatus;
  /** ISO timestamps, inclusive. */
  readonly minCreatedAt?: string;
  readonly maxCreatedAt?: string;
  /** A part of the OOI's reference, in any case. */
  readonly inputOoi?: string;
  /** Id of the boefje or normalizer, or the report recipe. */
  readonly pluginId?: string;
}

export interface SchedulerActivity {
  /** A second old at most. */
  readonly queued: number;
  /** When a task was last queued or handed out, `YYYY-MM-DDTHH:MM:SS.ffffffZ`; null where never. */
  readonly lastActivity: string | null;
}

/** Lists, statistics and queue sizes for people. Reads only; rows are JSON text (kat-contract §1). */
export interface TaskLists {
  /** Newest first. @throws RotaError INVALID_FILTER */
  tasks(request: TaskListQuery): Promise<JsonPage>;
  /** For operators: newest first, a part after the other, each of which reads no more than some 200 000 rows. @throws RotaError LIST_TOO_SLOW */
  search(request: TaskSearch): Promise<KeysetPage>;
  /** `{hour: {status: n, …, total}}` by hour of the last change, of the last 24 hours, newest hour first, as JSON text. */
  stats(request: StatsQuery): Promise<string>;
  activity(schedulers: readonly string[]): Promise<ReadonlyMap<string, SchedulerActivity>>;
}

/** @param pages for lists, which may be slow; everything else uses the other pool */
export function createTaskLists(sql: Sql, pages: PagePools = { plain: sql, search: sql }): TaskLists {
  return {
    tasks: (request) => listTasks(pages, request),
    search: (request) => searchTasks(pages, request),
    stats: (request) => readTaskStats(sql, request),
    async activity(schedulers) {
      const rows = await transact(() =>
        query<BoundedCounts & Pick<SchedulerActivity, 'lastActivity'> & { scheduler: string }>(
          sql,
          queueSizeStatement('lists/scheduler-activity'),
          [schedulers, countedAtLook],
        ),
      );
      return new Map(
        rows.map(({ scheduler, lastActivity, ...counts }) => {
          return [scheduler, { queued: queueSizeOf(counts).queued, lastActivity }];
        }),
      );
    },
  };
}

async function listTasks(pages: PagePools, request: TaskListQuery): Promise<JsonPage> {
  const source = taskSource(request.status);
  const conditions = new Conditions();
  if (source.status !== null) conditions.addLook(source.status);
  conditions.addEqual(source.scheduler, request.schedulerId);
  conditions.addEqual(source.organisation, request.organisation);
  addRange(conditions, source.createdAt, request.minCreatedAt, request.maxCreatedAt);
  const { organisations, rest } = splitOrganisations(request.filters);
  for (const organisation of organisations) conditions.addEqual(source.organisation, organisation);
  const searches = request.inputOoi !== undefined || request.pluginId !== undefined || rest !== null;
  const readsTask = addTaskConditions(conditions, request, rest, searches);
  const organised = request.organisation !== undefined || organisations.length > 0;
  return readPage(
    searches ? pages.search : pages.plain,
    {
      from: readsTask ? source.from + source.join : source.from,
      id: source.id,
      createdAt: source.createdAt,
      table: 'tasks',
      json: 'rota_task_json',
      // An index of an organisation's tasks has those of each scheduler in their order.
      inOrder:
        source.from === allTasks.from &&
        (!organised || request.schedulerId !== undefined) &&
        isLookedFor(rest, organised),
    },
    conditions,
    request,
  );
}

/** Rocky names the organisation in a filter: as a condition on the source's own column it is counted from an index alone. */
function splitOrganisations(request: FilterRequest | null): {
  organisations: readonly string[];
  rest: FilterRequest | null;
} {
  if (request === null) return { organisations: [], rest: null };
  const groups = groupsOf(request);
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

/**
 * Whether no index can lead to the tasks that a filter asks for. Where one may (an id, a hash, an OOI of an organisation, a time, a schedule),
 * it does so in an order of its own, and all of them are read.
 */
function isLookedFor(request: FilterRequest | null, organised: boolean): boolean {
  if (request === null) return true;
  const { and = [], or = [], not = [] } = groupsOf(request);
  return (
    or.length === 0 &&
    [...and, ...not].every(({ column, field, operator }) => {
      if (column === 'data') return !organised || field !== 'input_ooi' || !['==', 'eq', 'in'].includes(operator);
      return ['status', 'type', 'priority', 'modified_at'].includes(column);
    })
  );
}

/** Conditions on alias t. @returns whether there are any. */
function addTaskConditions(
  conditions: Conditions,
  request: TaskListQuery,
  filters: FilterRequest | null,
  searches: boolean,
): boolean {
  const { schedulerId, taskType: type, inputOoi, pluginId } = request;
  // A scheduler named after its type has tasks of that type only. Asking anyway would read every task for a count;
  // where a task's data is read the type is asked as a literal, since the partial index on OOIs needs it.
  const implied = type === schedulerId && !searches;
  if (type !== undefined && !implied) {
    conditions.addLook(hasOoi(type) ? `t.type = '${type}'` : `t.type = ${conditions.bind(type)}`);
  }
  if (inputOoi !== undefined) {
    conditions.addLook(`${ooiExpression(type)} ILIKE ${conditions.bind(containsText(inputOoi))}`);
  }
  if (pluginId !== undefined) conditions.addLook(`${pluginExpression(type)} = ${conditions.bind(pluginId)}`);
  if (filters !== null) {
    const compiled = compileFilter(filters, { target: 'tasks', firstParameter: conditions.nextParameter });
    conditions.addLook(conditions.bindAll(compiled));
  }
  return searches || (type !== undefined && !implied);
}

/**
 * Where the tasks of a status are listed from. No index on `tasks` may name the status (it would end HOT updates), so a list by
 * status starts from the narrow table of exactly those tasks, where there is one.
 */
interface TaskSource {
  readonly from: string;
  /** Appended to `from` for conditions on alias t; empty where t is in it already. */
  readonly join: string;
  readonly id: string;
  readonly scheduler: string;
  readonly organisation: string;
  readonly createdAt: string;
  /** What is still to be asked of a row, as SQL. */
  readonly status: string | null;
}

function taskSource(status: TaskStatus | undefined): TaskSource {
  switch (status) {
    case 'queued':
      return {
        from: 'queue q',
        join: ' JOIN tasks t ON t.id = q.id',
        id: 'q.id',
        scheduler: 'q.scheduler',
        organisation: 'q.organisation',
        createdAt: 'q.created_at',
        status: null,
      };
    case 'dispatched':
    case 'running':
      return {
        ...allTasks,
        from: 'leases l JOIN tasks t ON t.id = l.task_id',
        scheduler: 'l.scheduler',
        status: labels[status],
      };
    case 'failed':
    case 'cancelled':
      return {
        from: 'rare_outcomes r',
        join: ' JOIN tasks t ON t.id = r.task_id',
        id: 'r.task_id',
        scheduler: 'r.scheduler',
        organisation: 'r.organisation',
        createdAt: 'r.created_at',
        status: labels[status],
      };
    case 'pending':
    case 'completed':
      return { ...allTasks, status: labels[status] };
    case undefined:
      return allTasks;
  }
}

const allTasks: TaskSource = {
  from: 'tasks t',
  join: '',
  id: 't.id',
  scheduler: 't.scheduler_id',
  organisation: 't.organisation',
  createdAt: 't.created_at',
  status: null,
};

const labels = {
  dispatched: `t.status = 'DISPATCHED'`,
  running: `t.status = 'RUNNING'`,
  failed: `r.status = 'FAILED'`,
  cancelled: `r.status = 'CANCELLED'`,
  pending: `t.status = 'PENDING'`,
  completed: `t.status = 'COMPLETED'`,
} as const;
