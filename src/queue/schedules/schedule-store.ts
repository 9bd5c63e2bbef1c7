import { query, queryByKey, type Sql, statement, transact } from '../../postgres/pool.ts';
import type {
  DueSchedule,
  FailureStreak,
  LatestTask,
  MethodOf,
  ScheduleSettlement,
  SupervisorRequests,
} from '../../protocol/requests.ts';
import type { DisabledReason, TaskData } from '../../tasks/task.ts';
import { emit } from '../../telemetry/events.ts';
import { setDefaultLimits } from '../limits/limits.ts';
import { revokeTasks, emitCancelled } from '../settle/cancellation.ts';
import { chance } from '../../time-and-chance.ts';
import { mostOfHash, type PastTask, streakOf } from './streak.ts';

export type StoreKind = Exclude<keyof SupervisorRequests, 'push-tasks'>;

/** The database side of what scheduler actors ask (src/protocol/requests.ts), except pushes. One statement a request, except revocations. */
export type ScheduleStore = {
  readonly [K in StoreKind as MethodOf<K>]: (
    scheduler: string,
    request: SupervisorRequests[K]['request'],
  ) => Promise<SupervisorRequests[K]['reply']>;
} & {
  /** Seconds that the oldest due schedule is late; 0 where none is due. */
  scheduleLag(scheduler: string): Promise<number>;
};

/** Every method rejects with a RotaError: DATABASE_UNAVAILABLE, or BAD_REQUEST for what Postgres cannot store. */
export function createScheduleStore(sql: Sql): ScheduleStore {
  const run = <Row extends object>(name: string, values: readonly unknown[]) =>
    transact(() => query<Row>(sql, statement(name), values));

  return {
    async latestTasks(scheduler, { hashes }) {
      if (hashes.length === 0) return [];
      return (await run<LatestRow>('push/latest-tasks', [scheduler, hashes])).map(latestTask);
    },

    async failureStreaks(scheduler, { hashes }) {
      return readStreaks(
        sql,
        hashes.map((hash) => ({ scheduler, hash })),
      );
    },

    async claimDueSchedules(scheduler, { limit, except = [] }) {
      // Where statistics say that few are due, all of them would be sorted at each claim: 20 of 50 ms with 80 000 due.
      const text = statement('schedules/claim-due-schedules');
      return (await queryByKey<ScheduleRow>(sql, text, [scheduler, limit, except], { anew: true })).map(dueSchedule);
    },

    async settleSchedules(scheduler, { settlements }) {
      if (settlements.length > 0)
        await run('schedules/settle-schedules', [scheduler, JSON.stringify(lastOfEach(settlements))]);
      const failures = settlements.flatMap((it) => it.failures ?? []);
      if (failures.length > 0) emit({ name: 'schedules.delayed', scheduler, failures });
      return null;
    },

    async readSchedules(scheduler, { ids }) {
      if (ids.length === 0) return [];
      return (await run<ScheduleRow>('schedules/read-schedules', [scheduler, ids])).map(dueSchedule);
    },

    async disabledSchedules(scheduler, { ids }) {
      if (ids.length === 0) return [];
      return (await run<{ id: string }>('schedules/disabled-schedules', [scheduler, ids])).map(({ id }) => id);
    },

    async schedulesOfBoefje(scheduler, { organisation, boefje, after, limit }) {
      const values = [scheduler, organisation, boefje, after, limit];
      return (await run<ScheduleRow>('schedules/schedules-of-boefje', values)).map(dueSchedule);
    },

    async addSchedules(scheduler, { schedules }) {
      if (schedules.length === 0) return { added: 0 };
      const rows = schedules.map(({ recurrence, ...rest }) => ({
        ...rest,
        id: chance.timeOrderedUuid(),
        schedule: recurrence.schedule,
        inherited: recurrence.inherited ?? false,
        deadline_at: recurrence.deadlineAt,
        by_interval: recurrence.byInterval ?? false,
        disabled: recurrence.disabled ?? null,
      }));
      return { added: (await run('schedules/add-schedules', [scheduler, JSON.stringify(rows)])).length };
    },

    async forgetOois(scheduler, { oois }) {
      if (oois.length === 0) return { cancelled: 0, disabled: 0 };
      const organisations = oois.map(({ organisation }) => organisation);
      const references = oois.map(({ ooi }) => ooi);
      const [row] = await run<{ disabled: number; cancelled: string }>('schedules/forget-oois', [
        scheduler,
        organisations,
        references,
      ]);
      return { cancelled: emitCancelled(scheduler, 'ooi-gone', row!.cancelled), disabled: row!.disabled };
    },

    async revokeTasks(scheduler, { revocations }) {
      return revokeTasks(sql, scheduler, revocations);
    },

    async enableSchedules(scheduler, request) {
      const reasons = [...request.reasons, 'unknown'];
      if ('oois' in request) {
        const { oois } = request;
        if (oois.length === 0) return { enabled: 0 };
        const organisations = oois.map(({ organisation }) => organisation);
        const references = oois.map(({ ooi }) => ooi);
        const values = [scheduler, reasons, organisations, references];
        return { enabled: (await run('schedules/enable-schedules-of-oois', values)).length };
      }
      const { organisation, boefjes = null } = request;
      return { enabled: (await run('schedules/enable-schedules', [scheduler, organisation, reasons, boefjes])).length };
    },

    async deleteSchedules(_scheduler, { hashes }) {
      if (hashes.length === 0) return { deleted: 0 };
      return { deleted: (await run('schedules/delete-schedules', [hashes])).length };
    },

    async seenBoefjes(_scheduler, { organisations }) {
      return run<{ organisation: string; boefjes: string[]; recurrences: Record<string, string> | null }>(
        'schedules/seen-boefjes',
        [organisations ?? null],
      );
    },

    async saveSeenBoefjes(_scheduler, { seen }) {
      const latest = [...new Map(seen.map((entry) => [entry.organisation, entry])).values()];
      if (latest.length > 0) await run('schedules/save-seen-boefjes', [JSON.stringify(latest)]);
      return null;
    },

    async setDefaultLimits(scheduler, { limits }) {
      await setDefaultLimits(sql, scheduler, limits);
      return null;
    },

    async scheduleLag(scheduler) {
      const [row] = await run<{ seconds: number }>('schedules/schedule-lag', [scheduler]);
      return row!.seconds;
    },
  };
}

interface LatestRow {
  readonly hash: string;
  readonly id: string;
  readonly status: LatestTask['status'];
  readonly created_ms: number;
  readonly modified_ms: number;
}

function latestTask({ hash, id, status, created_ms, modified_ms }: LatestRow): LatestTask {
  return { hash, id, status, createdAt: created_ms, modifiedAt: modified_ms };
}

/** The failures in a row of each pair whose last finished task failed, in one statement. */
export async function readStreaks(
  sql: Sql,
  pairs: readonly { readonly scheduler: string; readonly hash: string }[],
): Promise<readonly FailureStreak[]> {
  if (pairs.length === 0) return [];
  const values = [pairs.map(({ scheduler }) => scheduler), pairs.map(({ hash }) => hash), mostOfHash];
  const rows = await transact(() => query<PastTask>(sql, statement('schedules/failure-streaks'), values));
  return [...Map.groupBy(rows, ({ hash }) => hash).values()].flatMap((tasks) => streakOf(tasks) ?? []);
}

interface ScheduleRow {
  readonly id: string;
  readonly version: string;
  readonly organisation: string;
  readonly hash: string;
  readonly data: string;
  readonly enabled: boolean;
  readonly schedule: string | null;
  readonly inherited: boolean;
  /** Null where it has no deadline, or no interval ever set one. */
  readonly by_interval: boolean | null;
  readonly asked: boolean | null;
  readonly disabled_reason: DisabledReason | null;
  readonly deadline_ms: number | null;
}

function dueSchedule({ data, deadline_ms, by_interval, asked, disabled_reason, ...rest }: ScheduleRow): DueSchedule {
  return {
    ...rest,
    data: JSON.parse(data) as TaskData,
    deadlineAt: deadline_ms,
    byInterval: by_interval === true,
    asked: asked === true,
    disabledReason: disabled_reason,
  };
}

/** An UPDATE that joins one row to several takes any of them: only the last settlement of a schedule is sent. */
function lastOfEach(settlements: readonly ScheduleSettlement[]): object[] {
  const rows = settlements.map((settlement) => ({
    id: settlement.id,
    version: settlement.version,
    sets_deadline: settlement.deadlineAt !== undefined,
    deadline_at: settlement.deadlineAt ?? null,
    sets_schedule: settlement.schedule !== undefined,
    schedule: settlement.schedule ?? null,
    inherited: settlement.inherited ?? null,
    by_interval: settlement.byInterval ?? false,
    asked: settlement.asked ?? false,
    disabled: settlement.disabled ?? null,
    enables: settlement.disabled === null,
  }));
  return [...new Map(rows.map((row) => [row.id, row])).values()];
}
