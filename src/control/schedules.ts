import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { ChangedTasks, ListedSchedule, ScheduleView } from '../protocol/operator-lists.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { SchedulePatch, Schedules } from '../queue/schedules/schedule-crud.ts';
import type { Supervision } from '../supervisor/supervision.ts';
import { cronFault, nextRun } from '../tasks/cron.ts';
import { lengths, shortText } from '../tasks/limits.ts';
import { type Schedule, scheduleStates } from '../tasks/task.ts';
import { auditIds, type CommandAudit, command, type SomeCommands } from './operator-command.ts';
import { cursor, listedText, listPage, timestamp } from './paging.ts';

export interface SchedulePorts {
  readonly schedules: Schedules;
  readonly inspection: Pick<QueueInspection, 'schedules'>;
  readonly supervision: Pick<Supervision, 'send'>;
  readonly audit: CommandAudit;
  /** The database's time, in epoch milliseconds. */
  readonly now: () => number;
}

const selection = z.strictObject({
  scheduler: listedText(lengths.name).optional(),
  organisation: listedText(lengths.organisation).optional(),
  boefje: listedText(lengths.name).optional(),
  /** The full reference. */
  ooi: listedText(lengths.ooi).optional(),
  state: z.enum(scheduleStates).optional(),
  /** Deadlines, inclusive. */
  from: timestamp.optional(),
  to: timestamp.optional(),
  /** Where an earlier answer ended. */
  after: cursor.optional(),
  limit: z.int().min(0).max(500).default(20),
});

const id = z.uuid();

/** Schedules that one request changes, in one statement. */
const mostChanged = 500;

/** Schedules as operators see and change them. */
export function scheduleCommands(ports: SchedulePorts) {
  const { schedules, supervision, audit } = ports;
  const patch = async (name: string, by: string | null, found: ScheduleView, change: SchedulePatch) => {
    const { id, organisation } = found;
    const patched = await schedules.patch(id, change);
    if (patched === null) throw unknown(id);
    const before = beforeOf(found, change);
    audit(name, by, { organisation, schedule: id, before, ...(change.schedule ? { cron: change.schedule } : {}) });
    return { patched: JSON.parse(patched) as Schedule, before };
  };
  return {
    schedules: command('read', selection, async ({ scheduler, after, ...request }) => {
      const now = ports.now();
      const page = await schedules.search({ ...request, schedulerId: scheduler, after: after ?? null });
      return listPage(page, await withReasons(ports, JSON.parse(page.results) as Schedule[]), now);
    }),

    'schedule-details': command('read', z.strictObject({ id }), async ({ id }) => detailsOf(ports, id)),

    'enable-schedule': command(
      'operate',
      z.strictObject({ id, enabled: z.boolean() }),
      async ({ id, enabled }, { by }) => {
        const found = await detailsOf(ports, id);
        return (await patch(enabled ? 'enable-schedule' : 'disable-schedule', by, found, { enabled })).patched;
      },
    ),

    // As change-tasks: the answer names what may not be changed, and the others are changed.
    'change-schedules': command(
      'operate',
      z.strictObject({ action: z.enum(['enable', 'disable', 'run']), ids: z.array(id).min(1).max(mostChanged) }),
      async ({ action, ids }, { by }) => {
        const { done, refused } = await change(ports, action, [...new Set(ids.map((it) => it.toLowerCase()))]);
        if (done.length > 0) {
          const named = auditIds(
            done.map(({ id }) => id),
            done.map(({ organisation }) => organisation),
          );
          const before = done.slice(0, named.ids.length).map((found) => beforeOf(found, changes[action]));
          audit(`${action}-schedules`, by, { schedules: done.length, ...named, before });
        }
        return { changed: done.length, refused };
      },
    ),

    'run-schedule': command('operate', z.strictObject({ id }), async ({ id }, { by }) => {
      const found = await detailsOf(ports, id);
      const { scheduler_id: scheduler } = found;
      if (!found.enabled) throw disabled(found);
      const { patched: due } = await patch('run-schedule', by, found, changes.run);
      // Best effort: the actor looks by itself within a minute.
      await supervision.send(scheduler, { kind: 'reschedule' });
      return due;
    }),

    'set-cron': command(
      'operate',
      z.strictObject({ id, cron: shortText(lengths.name).nullable() }),
      async ({ id, cron }, { by }) => {
        const now = new Date(ports.now());
        const fault = cron === null ? null : cronFault(cron, now);
        if (fault !== null) throw new RotaError('INVALID_REQUEST', `cron: ${fault}`);
        const deadline = cron === null ? {} : { deadlineAt: nextRun(cron, now).toISOString() };
        const found = await detailsOf(ports, id);
        const { patched } = await patch('set-cron', by, found, { schedule: cron, ...deadline });
        return { ...patched, before: ownCron(found) };
      },
    ),
  } satisfies SomeCommands;
}

type ScheduleAction = 'enable' | 'disable' | 'run';

const changes: Readonly<Record<ScheduleAction, SchedulePatch>> = {
  enable: { enabled: true },
  disable: { enabled: false },
  run: { deadlineAt: 'now' },
};

/** For the audit: what a change replaced. */
function beforeOf(found: ScheduleView, { enabled, schedule }: SchedulePatch): string | boolean | null {
  if (schedule !== undefined) return ownCron(found);
  return enabled === undefined ? found.deadline_at : found.enabled;
}

/** That of its boefje comes back by itself. */
function ownCron({ schedule, inherited }: ScheduleView): string | null {
  return inherited ? null : schedule;
}

interface ChangedSchedules extends Pick<ChangedTasks, 'refused'> {
  /** As they were. */
  readonly done: readonly ScheduleView[];
}

async function change(ports: SchedulePorts, action: ScheduleAction, ids: readonly string[]): Promise<ChangedSchedules> {
  const known = new Map((await ports.inspection.schedules(ids)).map((it) => [it.id, it]));
  const fit = ids.flatMap((of) => known.get(of) ?? []).filter(({ enabled }) => action !== 'run' || enabled);
  const wanted = fit.map(({ id }) => id);
  const patched = wanted.length === 0 ? new Set() : await ports.schedules.patchAll(wanted, changes[action]);
  const done = fit.filter(({ id }) => patched.has(id));
  const refused = ids
    .filter((of) => !patched.has(of))
    .map((of) => {
      const found = known.get(of);
      const { code, message } = action === 'run' && found?.enabled === false ? disabled(found) : unknown(of);
      return { id: of, code, detail: message };
    });
  // Best effort: the actor looks by itself within a minute.
  const due = new Set(action === 'run' ? done.map(({ scheduler_id: scheduler }) => scheduler) : []);
  for (const scheduler of due) await ports.supervision.send(scheduler, { kind: 'reschedule' });
  return { done, refused };
}

function disabled({ id, disabled_reason: reason }: ScheduleView): RotaError {
  return new RotaError('CONFLICT', `schedule ${id} is disabled (${reason ?? 'unknown'}): enable it first`);
}

/** The reason is null where the schedule is enabled, or was deleted meanwhile. */
async function withReasons(
  { inspection }: SchedulePorts,
  found: readonly Schedule[],
): Promise<readonly ListedSchedule[]> {
  const details = await inspection.schedules(found.map(({ id }) => id));
  const seen = new Map(details.map(({ asked: _asked, ...it }) => [it.id, it]));
  const none = { disabled_reason: null, streak: null, inherited: false, by_interval: false, last: null };
  return found.map((schedule) => ({ ...none, ...seen.get(schedule.id), ...schedule }));
}

async function detailsOf(ports: SchedulePorts, id: string): Promise<ScheduleView> {
  const [details] = await ports.inspection.schedules([id]);
  if (details === undefined) throw unknown(id);
  return details;
}

function unknown(id: string): RotaError {
  return new RotaError('NOT_FOUND', `there is no schedule ${id}`);
}
