import type { z } from 'zod';
import { isCron, nextRun } from '../tasks/cron.ts';
import { taskTypeOf } from '../tasks/data.ts';
import { checkDataLengths } from '../tasks/data-lengths.ts';
import type { NewSchedule, SchedulePatch } from '../queue/schedules/schedule-crud.ts';
import { badRequest, validationError } from './errors.ts';
import type { Schedulers } from './ports.ts';
import { present } from './present.ts';
import type { scheduleCreate, schedulePatch } from './schemas.ts';

/**
 * @throws Answer 400 in mula's words and order: a time, a cron that runs, a scheduler, data of its task type.
 * @throws RotaError INVALID_REQUEST for a text of the data that is too long
 */
export function newSchedule(body: z.output<typeof scheduleCreate>, schedulers: Schedulers, now: Date): NewSchedule {
  const cron = body.schedule ?? null;
  if ((cron === null || cron === '') && (body.deadline_at ?? null) === null) {
    throw badRequest('Either deadline_at or schedule must be provided');
  }
  if (cron !== null && !isRestCron(cron, now)) throw validationError(invalidCron(cron));
  const scheduler = schedulers.find(body.scheduler_id);
  if (scheduler === undefined) throw badRequest(`Scheduler ${body.scheduler_id} not found`);
  const type = taskTypeOf(scheduler.type);
  checkDataLengths(type, body.data);
  const data = type.schema.safeParse(body.data);
  if (!data.success) {
    const faults = data.error.issues.map(({ path, message }) => `${path.join('.') || 'data'}: ${message}`);
    throw badRequest(`data is not that of a ${scheduler.type} task: ${faults.join('; ')}`);
  }
  return {
    schedulerId: scheduler.id,
    organisation: body.organisation,
    hash: type.hash(data.data),
    data: body.data,
    schedule: cron,
    deadlineAt: body.deadline_at ?? nextRun(cron!, now).toISOString(),
  };
}

/**
 * A new cron moves the deadline, unless the patch sets that itself (lessons §1); a cron taken away leaves it.
 * @returns null where a value is none that a schedule can have.
 */
export function schedulePatchOf(body: z.output<typeof schedulePatch>, now: Date): SchedulePatch | null {
  const { hash, data, enabled, schedule, deadline_at: given } = body;
  if (hash === null || data === null || enabled === null) return null;
  if (typeof schedule === 'string' && !isRestCron(schedule, now)) return null;
  const moved = typeof schedule === 'string' && given === undefined ? nextRun(schedule, now).toISOString() : given;
  return present({ hash, data, enabled, schedule, deadlineAt: moved }) as SchedulePatch;
}

/** mula's REST knows no seventh field, a year: its recorded answer is 400. `rota schedules set-cron` takes one. */
function isRestCron(cron: string, now: Date): boolean {
  return isCron(cron, now) && cron.trim().split(/\s+/).length < 7;
}

/** pydantic's report, which clients show. */
function invalidCron(cron: string): string {
  return (
    '1 validation error for Schedule\nschedule\n' +
    `  Value error, Invalid cron expression: ${cron} [type=value_error, input_value=${pythonQuote(cron)}, input_type=str]\n` +
    '    For further information visit https://errors.pydantic.dev/2.10/v/value_error'
  );
}

function pythonQuote(text: string): string {
  return text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text.replaceAll("'", "\\'")}'`;
}
