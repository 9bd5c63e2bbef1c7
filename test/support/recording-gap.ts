import { randomUUID } from 'node:crypto';
import type { Sql } from '../../src/postgres/pool.ts';
import type { RecordedLine } from './replay.ts';

interface ScheduleRow {
  readonly id: string;
  readonly scheduler_id: string;
  readonly organisation: string;
  readonly hash: string;
  readonly data: unknown;
  readonly enabled: boolean;
  readonly schedule: string | null;
  readonly deadline_at: string | null;
  readonly created_at: string;
}

/**
 * The recording leaves lines out, and later ones show schedules that were made in them: makes those, and as many more as
 * the later counts imply.
 */
export async function fillGap(
  sql: Sql,
  recording: readonly RecordedLine[],
  gap: { readonly before: number; readonly after: number },
): Promise<void> {
  const later = recording.filter(({ seq }) => seq >= gap.after);
  const created = later.filter(({ request, status }) => request.path === '/schedules' && status === 201);
  const madeLater = new Set(created.map(({ body }) => (body as ScheduleRow).id));
  const shown = new Map<string, ScheduleRow>();
  for (const row of later.flatMap(rowsOf)) {
    const hidden = !madeLater.has(row.id) && row.created_at > lastMoment(recording, gap.before);
    if (hidden && !shown.has(row.id)) shown.set(row.id, row);
  }
  // In their order, which is that of their recorded moments, and after what this run made before.
  const inOrder = [...shown.values()].sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
  const start = Date.now();
  for (const [n, row] of inOrder.entries()) {
    await insert(sql, { ...row, created_at: new Date(start + n).toISOString() });
  }
  for (const fill of fillers(later)) {
    const [{ count }] = (await sql.unsafe('SELECT count(*)::int AS count FROM schedules WHERE scheduler_id = $1', [
      fill.scheduler,
    ])) as unknown as [{ count: number }];
    for (let n = count; n < fill.wanted; n += 1) await insert(sql, unseen(fill.scheduler));
  }
}

function rowsOf({ request, body }: RecordedLine): ScheduleRow[] {
  if (!request.path.startsWith('/schedules')) return [];
  const { results } = body as { results?: ScheduleRow[] };
  if (results !== undefined) return results;
  return 'created_at' in (body as object) ? [body as ScheduleRow] : [];
}

function lastMoment(recording: readonly RecordedLine[], before: number): string {
  const moments = recording
    .filter(({ seq }) => seq <= before)
    .map(({ body }) => (body as { created_at?: string } | null)?.created_at ?? '');
  return moments.reduce((a, b) => (a > b ? a : b));
}

/** How many schedules of each scheduler the first later list counted, less those that were made meanwhile. */
function fillers(later: readonly RecordedLine[]): { scheduler: string; wanted: number }[] {
  const count = (path: string) =>
    (later.find(({ request }) => request.method === 'GET' && request.path === path)!.body as { count: number }).count;
  const madeLater = later.filter(({ request, status }) => request.path === '/schedules' && status === 201).length;
  const boefje = count('/schedules?scheduler_id=boefje&limit=2');
  // One normalizer schedule is shown; the rest are reports.
  return [
    { scheduler: 'boefje', wanted: boefje },
    { scheduler: 'report', wanted: count('/schedules') - boefje - madeLater - 1 },
  ];
}

function unseen(scheduler: string): ScheduleRow {
  return {
    id: randomUUID(),
    scheduler_id: scheduler,
    organisation: 'org-0',
    hash: randomUUID().replaceAll('-', ''),
    data: {},
    enabled: true,
    schedule: null,
    deadline_at: '2027-01-01T00:00:00Z',
    created_at: '2025-01-01T00:00:00Z',
  };
}

async function insert(sql: Sql, row: ScheduleRow): Promise<void> {
  await sql.unsafe(
    `INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, schedule, deadline_at, created_at, modified_at)
     VALUES ($1, $2, $3, $4, $5::text::jsonb, true, $6, $7, $8, $8)`,
    [
      row.id,
      row.scheduler_id,
      row.organisation,
      row.hash,
      JSON.stringify(row.data),
      row.schedule,
      row.deadline_at,
      row.created_at,
    ],
  );
}
