import { type Filter, invalidFilter } from './filter.ts';

/** What a filter narrows down: rows of `queue q` (pops), `tasks t` or `schedules s` (lists). */
export type FilterTarget = 'queue' | 'tasks' | 'schedules';

export type ColumnKind = 'text' | 'uuid' | 'number' | 'timestamp' | 'status' | 'boolean';

/** The left-hand side of a comparison, as SQL. A JSON value's type is only known from the value it is compared with. */
export type Operand =
  | { readonly kind: ColumnKind; readonly sql: string }
  | { readonly kind: 'json'; readonly json: string; readonly text: string };

interface ResolvedColumn {
  readonly operand: Operand;
  /** Puts the comparison where its columns are in scope: an EXISTS for what is in another table. */
  within(condition: string): string;
  /** The queue's own column that serves this filter from an index. */
  readonly served?: ServedColumn;
}

export type ServedColumn = 'image' | 'plugin' | 'organisation';

/** Binds a value as `text` or `text[]` and answers its placeholder. */
export type Bind = (value: string | readonly string[]) => string;

const taskColumns = new Map<string, ColumnKind | 'json'>([
  ['id', 'uuid'],
  ['scheduler_id', 'text'],
  ['schedule_id', 'uuid'],
  ['organisation', 'text'],
  ['type', 'text'],
  ['hash', 'text'],
  ['priority', 'number'],
  ['data', 'json'],
  ['status', 'status'],
  ['created_at', 'timestamp'],
  ['modified_at', 'timestamp'],
]);

const scheduleColumns = new Map<string, ColumnKind | 'json'>([
  ['id', 'uuid'],
  ['scheduler_id', 'text'],
  ['organisation', 'text'],
  ['hash', 'text'],
  ['data', 'json'],
  ['enabled', 'boolean'],
  ['schedule', 'text'],
  ['deadline_at', 'timestamp'],
  ['created_at', 'timestamp'],
  ['modified_at', 'timestamp'],
]);

/** Columns of tasks that the narrow queue row has too; every queued task has status queued. */
const queueColumns = new Map<string, Operand & { kind: ColumnKind }>([
  ['id', { kind: 'uuid', sql: 'q.id' }],
  ['scheduler_id', { kind: 'text', sql: 'q.scheduler' }],
  ['organisation', { kind: 'text', sql: 'q.organisation' }],
  ['hash', { kind: 'text', sql: 'q.hash' }],
  ['priority', { kind: 'number', sql: 'q.rank' }],
  ['created_at', { kind: 'timestamp', sql: 'q.created_at' }],
  ['status', { kind: 'status', sql: `'QUEUED'::taskstatus` }],
]);

/** JSON paths that the queue row keeps as a column (src/tasks/data.ts `columns`), and the only type where that is true. */
const queuePaths = new Map<string, { column: 'image' | 'plugin'; taskType: string }>([
  ['boefje__id', { column: 'plugin', taskType: 'boefje' }],
  ['boefje__oci_image', { column: 'image', taskType: 'boefje' }],
  ['normalizer__id', { column: 'plugin', taskType: 'normalizer' }],
  ['report_recipe_id', { column: 'plugin', taskType: 'report' }],
]);

/**
 * Paths written as literals, since an index on the expression serves only its literal form. Every other path is bound:
 * a statement's text never contains what a client sent, and the set of texts stays small enough to be prepared.
 */
const literalPaths = new Map<string, { json: string; text: string }>([
  ['input_ooi', { json: `->'input_ooi'`, text: `->>'input_ooi'` }],
  ['boefje__id', { json: `->'boefje'->'id'`, text: `->'boefje'->>'id'` }],
  ['boefje__oci_image', { json: `->'boefje'->'oci_image'`, text: `->'boefje'->>'oci_image'` }],
  ['normalizer__id', { json: `->'normalizer'->'id'`, text: `->'normalizer'->>'id'` }],
  ['report_recipe_id', { json: `->'report_recipe_id'`, text: `->>'report_recipe_id'` }],
]);

const here = (condition: string) => condition;
const taskOfQueue = (condition: string) => `EXISTS (SELECT 1 FROM tasks t WHERE t.id = q.id AND ${condition})`;
const scheduleOfTask = (condition: string) =>
  `EXISTS (SELECT 1 FROM schedules s WHERE s.id = t.schedule_id AND ${condition})`;
const tasksOfSchedule = (condition: string) =>
  `EXISTS (SELECT 1 FROM tasks t WHERE t.schedule_id = s.id AND ${condition})`;

/**
 * Finds what `column` and `field` name. As in mula, `field` without `__` is a key of a JSON column or an attribute of a
 * relationship, `__` goes deeper, and a field that repeats the column's name means the column.
 * @throws RotaError INVALID_FILTER for what is not on the list.
 */
export function resolveColumn(
  target: FilterTarget,
  filter: Filter,
  taskType: string | undefined,
  bind: Bind,
): ResolvedColumn {
  const path =
    filter.field === null || filter.field === undefined || filter.field === '' ? filter.column : filter.field;
  if (target === 'schedules') {
    if (filter.column !== 'tasks') return { operand: own('s', scheduleColumns, filter, path, bind), within: here };
    return { operand: related('t', taskColumns, filter, path, bind), within: tasksOfSchedule };
  }
  if (target === 'tasks') {
    if (filter.column !== 'schedule') return { operand: own('t', taskColumns, filter, path, bind), within: here };
    return { operand: related('s', scheduleColumns, filter, path, bind), within: scheduleOfTask };
  }
  if (filter.column === 'schedule') {
    const operand = related('s', scheduleColumns, filter, path, bind);
    return { operand, within: (condition) => taskOfQueue(scheduleOfTask(condition)) };
  }
  return queued(filter, path, taskType, bind);
}

function queued(filter: Filter, path: string, taskType: string | undefined, bind: Bind): ResolvedColumn {
  const column = queueColumns.get(filter.column);
  if (column !== undefined && path === filter.column) {
    return { operand: column, within: here, ...(filter.column === 'organisation' ? { served: 'organisation' } : {}) };
  }
  const kept = filter.column === 'data' ? queuePaths.get(path) : undefined;
  if (kept !== undefined && taskType === kept.taskType) {
    return { operand: { kind: 'text', sql: `q.${kept.column}` }, within: here, served: kept.column };
  }
  return { operand: own('t', taskColumns, filter, path, bind), within: taskOfQueue };
}

function own(
  alias: string,
  columns: ReadonlyMap<string, ColumnKind | 'json'>,
  filter: Filter,
  path: string,
  bind: Bind,
): Operand {
  const kind = columns.get(filter.column);
  if (kind === undefined)
    throw invalidFilter(filter, `no such column: expected one of ${[...columns.keys()].join(', ')}`);
  if (path === filter.column) return operandOf(alias, filter.column, kind, null, bind);
  if (kind !== 'json') throw invalidFilter(filter, 'a field needs a JSON column or a relationship');
  return operandOf(alias, filter.column, kind, path, bind);
}

function related(
  alias: string,
  columns: ReadonlyMap<string, ColumnKind | 'json'>,
  filter: Filter,
  path: string,
  bind: Bind,
): Operand {
  const [attribute, ...rest] = path.split('__') as [string, ...string[]];
  const kind = columns.get(attribute);
  if (kind === undefined) {
    throw invalidFilter(filter, `no such field of ${filter.column}: expected one of ${[...columns.keys()].join(', ')}`);
  }
  if (rest.length === 0) return operandOf(alias, attribute, kind, null, bind);
  if (kind !== 'json') throw invalidFilter(filter, `${attribute} has no fields`);
  return operandOf(alias, attribute, kind, rest.join('__'), bind);
}

function operandOf(alias: string, column: string, kind: ColumnKind | 'json', path: string | null, bind: Bind): Operand {
  const sql = `${alias}.${column}`;
  if (kind !== 'json') return { kind, sql };
  if (path === null) return { kind, json: sql, text: `(${sql} #>> '{}')` };
  const literal = literalPaths.get(path);
  if (literal !== undefined) return { kind, json: `(${sql}${literal.json})`, text: `(${sql}${literal.text})` };
  const keys = `${bind(path.split('__'))}::text[]`;
  return { kind, json: `(${sql} #> ${keys})`, text: `(${sql} #>> ${keys})` };
}
