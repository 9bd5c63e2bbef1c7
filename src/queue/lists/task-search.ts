import type { PagePools } from '../../postgres/pool.ts';
import type { TaskStatus } from '../../tasks/task.ts';
import {
  boundOf,
  type Key,
  type KeysetBounds,
  type KeysetPage,
  type KeysetSource,
  type ListSizes,
  readKeysetPage,
  schedulersOf,
} from './keyset.ts';
import type { Conditions } from './page.ts';
import { containsText, labelOf, ooiExpression, pluginExpression } from './task-columns.ts';

/** Which tasks operators want to see, newest first. */
export interface TaskSearch extends KeysetBounds {
  readonly schedulerId?: string | undefined;
  readonly organisation?: string | undefined;
  readonly status?: TaskStatus | undefined;
  /** Id of the boefje or normalizer, or the report recipe. */
  readonly pluginId?: string | undefined;
  /** A part of the OOI's reference, in any case. */
  readonly ooiPart?: string | undefined;
  /** The whole reference. */
  readonly ooi?: string | undefined;
  /** When they were made, inclusive: ISO timestamps. */
  readonly from?: string | undefined;
  readonly to?: readonly string[] | undefined;
}

/** @throws RotaError LIST_TOO_SLOW */
export async function searchTasks(pages: PagePools, search: TaskSearch, sizes?: ListSizes): Promise<KeysetPage> {
  const source = taskSource(search, await schedulersFor(pages, search));
  return readKeysetPage(source.looks ? pages.search : pages.plain, source, search, sizes);
}

export function taskSource(search: TaskSearch, schedulers: readonly string[]): KeysetSource {
  const { status } = search;
  const whole = isWhole(search);
  const range = status === 'failed' || status === 'cancelled' ? rareRange(search, status) : taskRange(search);
  return {
    table: 'tasks',
    json: 'rota_task_json',
    newestFirst: true,
    ranges: whole ? 1 : Math.max(1, schedulers.length),
    looks: range.looks,
    rows: (conditions, rows, after, ordered) => {
      const limit = `LIMIT ${conditions.bind(rows)}`;
      if (whole) return `${range.select(conditions, null, after)} ${limit}`;
      const of = conditions.bind(schedulers);
      return `SELECT r.id, r.at, r.matches FROM unnest(${of}::text[]) AS s (id), LATERAL (
          ${range.select(conditions, 's.id', after)} ${limit}
        ) AS r ${ordered ? 'ORDER BY r.at DESC, r.id DESC' : ''} ${limit}`;
    },
    few: fewOf(search, schedulers),
  };
}

/** By the index of the whole table; everything else is asked scheduler by scheduler. */
function isWhole({ schedulerId, organisation, status }: TaskSearch): boolean {
  return schedulerId === undefined && organisation === undefined && status !== 'failed' && status !== 'cancelled';
}

async function schedulersFor({ plain }: PagePools, search: TaskSearch): Promise<readonly string[]> {
  if (search.schedulerId !== undefined) return [search.schedulerId];
  return isWhole(search) && search.status !== 'queued' ? [] : schedulersOf(plain, 'tasks');
}

/** A range of an index, in the list's order. */
interface Range {
  readonly looks: boolean;
  /** @param scheduler SQL for its id; null for all */
  select(conditions: Conditions, scheduler: string | null, after: Key | null): string;
}

function taskRange(search: TaskSearch): Range {
  const { organisation, status, pluginId, ooiPart, ooi, schedulerId } = search;
  // The index of an OOI has boefje tasks alone, by organisation.
  const byOoi = ooi !== undefined && organisation !== undefined && schedulerId === 'boefje';
  const looked = byOoi ? { ...search, ooi: undefined } : search;
  return {
    looks: (status ?? pluginId ?? ooiPart ?? looked.ooi) !== undefined,
    select(conditions, scheduler, after) {
      const wheres = createdOf(conditions, search, 't.created_at', 't.id', after);
      if (scheduler !== null) wheres.push(`t.scheduler_id = ${scheduler}`);
      if (organisation !== undefined) wheres.push(`t.organisation = ${conditions.bind(organisation)}`);
      if (byOoi) wheres.push(`t.type = 'boefje' AND (t.data ->> 'input_ooi') = ${conditions.bind(ooi)}`);
      const status_ = status === undefined ? [] : [`t.status = ${labelOf(status)}`];
      return `SELECT t.id, t.created_at AS at, ${all([...status_, ...looksOf(conditions, looked)])} AS matches
        FROM tasks t ${where(wheres)} ORDER BY t.created_at DESC, t.id DESC`;
    },
  };
}

/** No index on `tasks` may name the status: failed and cancelled ones are in a narrow table of their own. */
function rareRange(search: TaskSearch, status: TaskStatus): Range {
  const { organisation, pluginId, ooiPart, ooi } = search;
  const readsTask = (pluginId ?? ooiPart ?? ooi) !== undefined;
  return {
    looks: readsTask || organisation !== undefined,
    select(conditions, scheduler, after) {
      const wheres = createdOf(conditions, search, 'r.created_at', 'r.task_id', after);
      wheres.push(`r.scheduler = ${scheduler!}`, `r.status = ${labelOf(status)}`);
      const matches = looksOf(conditions, search);
      if (organisation !== undefined) matches.push(`r.organisation = ${conditions.bind(organisation)}`);
      return `SELECT r.task_id AS id, r.created_at AS at, ${all(matches)} AS matches
        FROM rare_outcomes r ${readsTask ? itsTask('r.task_id') : ''} ${where(wheres)}
        ORDER BY r.created_at DESC, r.task_id DESC`;
    },
  };
}

function fewOf(search: TaskSearch, schedulers: readonly string[]) {
  const { status, schedulerId, organisation } = search;
  if (status === 'queued') {
    return (conditions: Conditions, rows: number) => queuedRows(conditions, search, schedulers, rows);
  }
  if (status !== 'dispatched' && status !== 'running') return null;
  // As many as workers have in hand.
  return (conditions: Conditions, rows: number) => {
    const matches = [`t.status = ${labelOf(status)}`, ...createdOf(conditions, search, 't.created_at', 't.id', null)];
    if (schedulerId !== undefined) matches.push(`l.scheduler = ${conditions.bind(schedulerId)}`);
    if (organisation !== undefined) matches.push(`t.organisation = ${conditions.bind(organisation)}`);
    return `SELECT t.id, t.created_at AS at, ${all([...matches, ...looksOf(conditions, search)])} AS matches
      FROM (SELECT task_id, scheduler FROM leases LIMIT ${conditions.bind(rows)}) AS l ${itsTask('l.task_id')}`;
  };
}

/** Of one scheduler, organisation or plug-in, along the order of pops from the low-water mark on, which dead entries lie before. */
function queuedRows(conditions: Conditions, search: TaskSearch, schedulers: readonly string[], rows: number): string {
  const { organisation, pluginId, ooiPart, ooi } = search;
  const of = `unnest(${conditions.bind(schedulers)}::text[]) AS s (id)`;
  const matches = [
    ...createdOf(conditions, search, 'q.created_at', 'q.id', null),
    ...looksOf(conditions, { ...search, pluginId: undefined }),
  ];
  const [plugin, organised] = [pluginId, organisation].map((value) => value !== undefined && conditions.bind(value));
  const key = organised ? `AND q.organisation = ${organised}` : plugin ? `AND q.plugin = ${plugin}` : '';
  if (organised && plugin) matches.push(`q.plugin IS NOT DISTINCT FROM ${plugin}`);
  const limit = `LIMIT ${conditions.bind(rows)}`;
  return `SELECT r.id, r.at, r.matches FROM ${of},
      LATERAL (
        VALUES (true, -9223372036854775808, '-infinity'::timestamptz),
          (false, coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = s.id), -9223372036854775808),
            coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = s.id), '-infinity'))
      ) AS b (held, rank, created_at),
      LATERAL (
        SELECT q.id, q.created_at AS at, ${all(matches)} AS matches
        FROM queue q ${(ooiPart ?? ooi) === undefined ? '' : itsTask('q.id')}
        WHERE q.scheduler = s.id AND q.held = b.held AND (q.rank, q.created_at) >= (b.rank, b.created_at) ${key}
        ORDER BY q.rank, q.created_at, q.id ${limit}
      ) AS r ${limit}`;
}

/** Not a join: one that was planned for empty tables reads all tasks for each row. */
function itsTask(id: string): string {
  return `CROSS JOIN LATERAL (SELECT id, organisation, status, data, created_at FROM tasks WHERE id = ${id} OFFSET 0) AS t`;
}

/** Conditions on when they were made, and on what was shown. */
function createdOf(conditions: Conditions, search: TaskSearch, at: string, id: string, after: Key | null): string[] {
  const { from, to = [] } = search;
  const moment = (value: unknown) => `${conditions.bind(value)}::text::timestamptz`;
  return [
    ...(from === undefined ? [] : [`${at} >= ${moment(from)}`]),
    ...to.map((bound) => `${at} <= ${moment(bound)}`),
    // The first is the range of the index, which has no ids.
    ...(after === null ? [] : [`${at} <= ${moment(after.at)}`, `(${at}, ${id}) < ${boundOf(conditions, after)}`]),
  ];
}

/** Conditions on the data of alias t, which no index knows. */
function looksOf(conditions: Conditions, { pluginId, ooiPart, ooi }: TaskSearch): string[] {
  return [
    ...(pluginId === undefined ? [] : [`${pluginExpression(undefined)} = ${conditions.bind(pluginId)}`]),
    ...(ooiPart === undefined ? [] : [`${ooiExpression(undefined)} ILIKE ${conditions.bind(containsText(ooiPart))}`]),
    ...(ooi === undefined ? [] : [`${ooiExpression(undefined)} = ${conditions.bind(ooi)}`]),
  ];
}

/** Of a task without that field no condition is true. */
function all(matches: readonly string[]): string {
  return matches.length === 0 ? 'true' : `coalesce(${matches.join(' AND ')}, false)`;
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}
