import { type PagePools, query, type Sql, statement, transact } from '../../postgres/pool.ts';
import { storedJson, withoutSecrets } from '../../tasks/secrets.ts';
import type { TaskData } from '../../tasks/task.ts';
import { compileFilter } from '../filter/compile.ts';
import type { KeysetPage } from '../lists/keyset.ts';
import { addRange, Conditions, type ListBounds, type JsonPage, readPage } from '../lists/page.ts';
import { type ScheduleSearch, searchSchedules } from '../lists/schedule-search.ts';

export interface ScheduleListQuery extends ListBounds {
  readonly schedulerId?: string;
  readonly organisation?: string;
  readonly hash?: string;
  readonly enabled?: boolean;
  /** ISO timestamps, inclusive. */
  readonly minDeadlineAt?: string;
  readonly maxDeadlineAt?: string;
  readonly minCreatedAt?: string;
  readonly maxCreatedAt?: string;
}

export interface ScheduleCreation {
  readonly schedulerId: string;
  readonly organisation: string;
  readonly hash: string;
  readonly data: TaskData;
  readonly schedule: string | null;
  readonly deadlineAt: string;
}

/** Absent: unchanged. */
export interface SchedulePatch {
  readonly hash?: string;
  readonly data?: TaskData;
  /** Set by a person: false stays until a person sets true. */
  readonly enabled?: boolean;
  readonly schedule?: string | null;
  /** ISO timestamp. `now`: the moment of the change by the database's clock, to the microsecond, so that it is due. */
  readonly deadlineAt?: string | null;
}

/** Schedules as people see and change them; rows are JSON text (kat-contract §1). The edge decides deadlines. */
export interface Schedules {
  /** Newest first. @throws RotaError INVALID_FILTER */
  list(request: ScheduleListQuery): Promise<JsonPage>;
  /** For operators: by deadline, a part after the other, each of which reads a bounded number of rows. @throws RotaError LIST_TOO_SLOW */
  search(request: ScheduleSearch): Promise<KeysetPage>;
  get(id: string): Promise<string | null>;
  /** Null where a schedule with that hash exists. */
  create(schedule: ScheduleCreation): Promise<string | null>;
  /** Null where there is none. @throws RotaError CONFLICT where the new hash is taken. */
  patch(id: string, patch: SchedulePatch): Promise<string | null>;
  /** All of them or none, in one statement. @returns the ids of those that there are */
  patchAll(ids: readonly string[], patch: SchedulePatch): Promise<ReadonlySet<string>>;
  /** False where there was none. */
  delete(id: string): Promise<boolean>;
}

/** @param pages for lists, which may be slow; everything else uses the other pool */
export function createSchedules(sql: Sql, pages: PagePools = { plain: sql, search: sql }): Schedules {
  const one = async (name: string, values: readonly unknown[]) => {
    const rows = await transact(() => query<{ schedule: string }>(sql, statement(name), values));
    return rows[0]?.schedule ?? null;
  };

  return {
    list: (request) => listSchedules(pages, request),

    search: (request) => searchSchedules(pages, request),

    get: (id) => one('schedules/schedule-get', [id]),

    create: ({ schedulerId, organisation, hash, data, schedule, deadlineAt }) =>
      one('schedules/schedule-create', [schedulerId, organisation, hash, storedJson(data), schedule, deadlineAt]),

    patch: (id, patch) => one('schedules/schedule-patch', [[id], JSON.stringify(columnsOf(patch))]),

    async patchAll(ids, patch) {
      const values = [ids, JSON.stringify(columnsOf(patch))];
      const rows = await transact(() => query<{ id: string }>(sql, statement('schedules/schedule-patch'), values));
      return new Set(rows.map(({ id }) => id));
    },

    async delete(id) {
      return (await transact(() => query(sql, statement('schedules/schedule-delete'), [id]))).length > 0;
    },
  };
}

async function listSchedules(pages: PagePools, request: ScheduleListQuery): Promise<JsonPage> {
  const conditions = new Conditions();
  conditions.addEqual('s.scheduler_id', request.schedulerId);
  conditions.addEqual('s.organisation', request.organisation);
  conditions.addEqual('s.hash', request.hash);
  conditions.addEqual('s.enabled', request.enabled);
  addRange(conditions, 's.deadline_at', request.minDeadlineAt, request.maxDeadlineAt);
  addRange(conditions, 's.created_at', request.minCreatedAt, request.maxCreatedAt);
  if (request.filters !== null) {
    const { nextParameter } = conditions;
    const compiled = compileFilter(request.filters, { target: 'schedules', firstParameter: nextParameter });
    conditions.addLook(conditions.bindAll(compiled));
  }
  const source = { from: 'schedules s', id: 's.id', createdAt: 's.created_at' };
  const pool = request.filters === null ? pages.plain : pages.search;
  return readPage(pool, { ...source, table: 'schedules', json: 'rota_schedule_json' }, conditions, request);
}

/** Only the given keys: the statement leaves the other columns alone. */
function columnsOf({ deadlineAt, data, ...rest }: SchedulePatch): Record<string, unknown> {
  const kept = data === undefined ? {} : { data: withoutSecrets(data) };
  return { ...rest, ...kept, ...(deadlineAt === undefined ? {} : { deadline_at: deadlineAt }) };
}
