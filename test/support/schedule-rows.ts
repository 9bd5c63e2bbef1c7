import { randomUUID } from 'node:crypto';
import type { ScheduleSettlement } from '../../src/protocol/requests.ts';
import type { Sql } from '../../src/postgres/pool.ts';
import type { ScheduleStore } from '../../src/queue/schedules/schedule-store.ts';

export interface ScheduleFields {
  readonly ooi?: string;
  readonly boefje?: string;
  readonly organisation?: string;
  readonly scheduler?: string;
  readonly hash?: string;
  /** Minutes from now. */
  readonly due?: number | null;
  readonly disabled?: string;
  readonly cron?: string;
}

export async function schedule(sql: Sql, fields: ScheduleFields = {}): Promise<string> {
  const id = randomUUID();
  const { ooi = 'Hostname|internet|a.nl', boefje = 'dns', organisation = 'aa', due = -5 } = fields;
  const data = JSON.stringify({ boefje: { id: boefje }, input_ooi: ooi, organization: organisation });
  await sql`INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, disabled_reason, schedule, deadline_at)
    VALUES (${id}, ${fields.scheduler ?? 'boefje'}, ${organisation}, ${fields.hash ?? id.slice(0, 32)}, ${data}::text::jsonb,
      ${fields.disabled === undefined}, ${fields.disabled ?? null}, ${fields.cron ?? null}, now() + ${due}::float8 * interval '1 minute')`;
  return id;
}

/** A boefje task, with its queue row where it is queued. */
export async function task(
  sql: Sql,
  hash: string,
  status: string,
  createdAt = '2025-05-01T10:00:00Z',
  organisation = 'aa',
): Promise<string> {
  const id = randomUUID();
  await sql`INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
    VALUES (${id}, 'boefje', ${organisation}, 'boefje', ${hash}, 2, '{}', ${status}, ${createdAt}::text::timestamptz, '2025-06-01T00:00:00Z')`;
  if (status === 'QUEUED') {
    await sql`INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation)
      VALUES ('boefje', 2, ${createdAt}::text::timestamptz, ${id}, ${hash}, ${organisation})`;
  }
  return id;
}

export async function scheduleRow(sql: Sql, id: string) {
  const [found] =
    await sql`SELECT enabled, disabled_reason, schedule, deadline_at, claimed_until FROM schedules WHERE id = ${id}`;
  return found as {
    enabled: boolean;
    disabled_reason: string | null;
    schedule: string | null;
    deadline_at: Date | null;
    claimed_until: Date | null;
  };
}

export type Settlement = Omit<ScheduleSettlement, 'version'>;

/** Settles schedules as they are now. */
export async function settle(sql: Sql, store: ScheduleStore, settlements: readonly Settlement[]): Promise<void> {
  const found = await sql`SELECT id, rota_timestamp(modified_at) AS version FROM schedules`;
  const versions = new Map(found.map(({ id, version }) => [id as string, version as string]));
  await store.settleSchedules('boefje', {
    settlements: settlements.map((it) => ({ ...it, version: versions.get(it.id)! })),
  });
}
