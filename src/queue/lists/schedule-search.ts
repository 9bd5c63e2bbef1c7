import type { PagePools } from '../../postgres/pool.ts';
import type { ScheduleState } from '../../tasks/task.ts';
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

/** Which schedules operators want to see, by deadline, those without one last. */
export interface ScheduleSearch extends KeysetBounds {
  readonly schedulerId?: string | undefined;
  readonly organisation?: string | undefined;
  readonly boefje?: string | undefined;
  /** The whole reference. */
  readonly ooi?: string | undefined;
  readonly state?: ScheduleState | undefined;
  /** Deadlines, inclusive: ISO timestamps. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Each schedule is in one of these, by deadline. Conditions of the indexes' ranges, but for the scheduler. */
const parts = {
  timed: { at: 's.deadline_at', of: 's.enabled AND s.deadline_at IS NOT NULL' },
  /** Enabled without a deadline. */
  untimed: {
    at: `coalesce(s.deadline_at, 'infinity'::timestamptz)`,
    of: 's.enabled AND (NOT s.enabled OR s.deadline_at IS NULL)',
  },
  disabled: {
    at: `coalesce(s.deadline_at, 'infinity'::timestamptz)`,
    of: 'NOT s.enabled AND (NOT s.enabled OR s.deadline_at IS NULL)',
  },
} as const;

type Part = keyof typeof parts;

interface State {
  readonly parts: readonly Part[];
  /** What of them is in the state, as a range of deadlines; `looks` at what no index knows. */
  readonly range: string | null;
  readonly looks: string | null;
}

const states: Readonly<Record<ScheduleState, State>> = {
  late: { parts: ['timed'], range: 's.deadline_at <= now()', looks: null },
  due: {
    parts: ['timed'],
    range: `s.deadline_at > now() AND s.deadline_at <= now() + interval '1 hour'`,
    looks: null,
  },
  enabled: { parts: ['timed', 'untimed'], range: null, looks: null },
  disabled: { parts: ['disabled'], range: null, looks: null },
  'disabled-by-people': { parts: ['disabled'], range: null, looks: `s.disabled_reason = 'person'` },
  'disabled-by-rota': { parts: ['disabled'], range: null, looks: `s.disabled_reason IS DISTINCT FROM 'person'` },
};
const anyState: State = { parts: ['timed', 'untimed', 'disabled'], range: null, looks: null };

/** @throws RotaError LIST_TOO_SLOW */
export async function searchSchedules(
  pages: PagePools,
  search: ScheduleSearch,
  sizes?: ListSizes,
): Promise<KeysetPage> {
  const { schedulerId } = search;
  const schedulers = schedulerId === undefined ? await schedulersOf(pages.plain, 'schedules') : [schedulerId];
  const source = scheduleSource(search, schedulers);
  return readKeysetPage(source.looks ? pages.search : pages.plain, source, search, sizes);
}

export function scheduleSource(search: ScheduleSearch, schedulers: readonly string[]): KeysetSource {
  const { organisation, boefje, ooi } = search;
  const state = search.state === undefined ? anyState : states[search.state];
  return {
    table: 'schedules',
    json: 'rota_schedule_json',
    newestFirst: false,
    ranges: Math.max(1, schedulers.length) * state.parts.length,
    looks: (organisation ?? boefje ?? ooi) !== undefined || state.looks !== null,
    rows: (conditions, rows, after, ordered) => {
      const limit = `LIMIT ${conditions.bind(rows)}`;
      const of = conditions.bind(schedulers);
      const each = (upTo: string, pick: string) =>
        state.parts
          .map(
            (part) => `SELECT r.id, r.at, r.matches FROM unnest(${of}::text[]) AS d (id), LATERAL (
              ${rangeOf(conditions, search, state, part, after, upTo)} ${pick}
            ) AS r`,
          )
          .join(' UNION ALL ');
      if (!ordered) return `${each('true', limit)} ${limit}`;
      // Where the first range has given its share the others stop, too: what they have beyond it would be read again and again.
      return `WITH stop AS MATERIALIZED (
          SELECT at, id FROM (${each('true', `OFFSET ${conditions.bind(rows - 1)} LIMIT 1`)}) AS ends ORDER BY at, id LIMIT 1
        )
        ${each(stop, limit)}`;
    },
    few: organisation === undefined ? null : (conditions, rows) => ofOrganisation(conditions, search, state, rows),
  };
}

/** Nothing stops a range where no other has given its share. */
const stop = `(
  coalesce((SELECT at FROM stop), 'infinity'), coalesce((SELECT id FROM stop), 'ffffffff-ffff-ffff-ffff-ffffffffffff')
)`;

/** @param upTo a row of SQL, or true */
function rangeOf(
  conditions: Conditions,
  search: ScheduleSearch,
  state: State,
  part: Part,
  after: Key | null,
  upTo: string,
): string {
  const { at, of } = parts[part];
  const wheres = ['s.scheduler_id = d.id', of, ...deadlinesOf(conditions, search, at)];
  if (state.range !== null) wheres.push(state.range);
  if (after !== null) wheres.push(`(${at}, s.id) > ${boundOf(conditions, after)}`);
  if (upTo !== 'true') wheres.push(`(${at}, s.id) <= ${upTo}`);
  const matches = looksOf(conditions, search, state);
  return `SELECT s.id, ${at} AS at, ${all(matches)} AS matches FROM schedules s
    WHERE ${wheres.join(' AND ')} ORDER BY ${at}, s.id`;
}

/** An organisation's schedules are found by the index of OOIs, in no order. */
function ofOrganisation(conditions: Conditions, search: ScheduleSearch, state: State, rows: number): string {
  const { schedulerId, organisation, ooi } = search;
  const wheres = [`s.organisation = ${conditions.bind(organisation)}`];
  if (ooi !== undefined) wheres.push(`(s.data ->> 'input_ooi') = ${conditions.bind(ooi)}`);
  const at = parts.disabled.at;
  const matches = [...deadlinesOf(conditions, search, at), ...looksOf(conditions, search, state)];
  if (schedulerId !== undefined) matches.push(`s.scheduler_id = ${conditions.bind(schedulerId)}`);
  matches.push(`(${state.parts.map((part) => `(${parts[part].of})`).join(' OR ')})`);
  if (state.range !== null) matches.push(state.range);
  return `SELECT s.id, ${at} AS at, ${all(matches)} AS matches FROM schedules s
    WHERE ${wheres.join(' AND ')} LIMIT ${conditions.bind(rows)}`;
}

function deadlinesOf(conditions: Conditions, { from, to }: ScheduleSearch, at: string): string[] {
  return [
    ...(from === undefined ? [] : [`${at} >= ${conditions.bind(from)}::text::timestamptz`]),
    ...(to === undefined ? [] : [`${at} <= ${conditions.bind(to)}::text::timestamptz`]),
  ];
}

function looksOf(conditions: Conditions, { organisation, boefje, ooi }: ScheduleSearch, { looks }: State): string[] {
  return [
    ...(looks === null ? [] : [looks]),
    ...(organisation === undefined ? [] : [`s.organisation = ${conditions.bind(organisation)}`]),
    ...(boefje === undefined ? [] : [`(s.data -> 'boefje' ->> 'id') = ${conditions.bind(boefje)}`]),
    ...(ooi === undefined ? [] : [`(s.data ->> 'input_ooi') = ${conditions.bind(ooi)}`]),
  ];
}

/** Of a schedule without that field no condition is true. */
function all(matches: readonly string[]): string {
  return matches.length === 0 ? 'true' : `coalesce(${matches.join(' AND ')}, false)`;
}
