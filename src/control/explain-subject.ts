import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { QueueInspection, ScheduleDetails } from '../queue/lists/inspection.ts';
import { rawData, taskTypeOf } from '../tasks/data.ts';
import { lengths, shortText } from '../tasks/lengths.ts';
import type { TaskData } from '../tasks/task.ts';

/** What is to be explained: data of a task that there is, or could be. */
export interface Subject {
  readonly scheduler: string;
  readonly organisation: string;
  readonly data: TaskData;
  readonly trigger: 'event' | 'schedule';
  /** Null for a raw file that no normalizer is named for: it may become several tasks. */
  readonly hash: string | null;
  readonly plugin: string | null;
  /** That was asked about; an adopted one may have another hash than its task. */
  readonly schedule: ScheduleDetails | null;
}

/** The event of Bytes about a raw file, as far as it matters. */
const rawFileEvent = z.object({
  organization: shortText(lengths.organisation).min(1),
  raw_data: rawData.extend({ size: z.number().int().min(0).nullish() }),
});

type Question =
  | { readonly id: string }
  | { readonly organisation: string; readonly boefje: string; readonly ooi: string | null }
  | { readonly rawFile: z.output<typeof rawFileEvent>; readonly normalizer: string | undefined };

/**
 * A task or schedule by its id; a boefje and an OOI; or a raw file, and perhaps one normalizer. One object and no union: a
 * union would not tell which field is wrong.
 */
export const question = z
  .strictObject({
    id: z.uuid().optional(),
    organisation: shortText(lengths.organisation).min(1).optional(),
    boefje: shortText(lengths.name).min(1).optional(),
    ooi: shortText(lengths.ooi).min(1).nullish(),
    raw_file: rawFileEvent.optional(),
    normalizer: shortText(lengths.name).min(1).optional(),
  })
  .transform(({ id, organisation, boefje, ooi = null, raw_file: rawFile, normalizer }, context): Question => {
    if (id !== undefined) return { id };
    if (rawFile !== undefined) return { rawFile, normalizer };
    if (organisation !== undefined && boefje !== undefined) return { organisation, boefje, ooi };
    context.addIssue({ code: 'custom', message: 'expected id, or organisation and boefje, or raw_file' });
    return z.NEVER;
  });

/** A task is explained as if its event came again, a schedule as if it were due. */
export async function subjectOf(
  desk: {
    readonly inspection: Pick<QueueInspection, 'details' | 'schedules'>;
    readonly typeOf: (id: string) => string;
  },
  asked: Question,
): Promise<Subject> {
  if ('rawFile' in asked) return rawFileSubject(asked);
  if ('boefje' in asked) {
    const { organisation, boefje, ooi } = asked;
    const data = { boefje: { id: boefje }, input_ooi: ooi, organization: organisation };
    return subject({ scheduler: 'boefje', organisation, data, trigger: 'event' }, 'boefje');
  }
  const { id } = asked;
  const [[details], [scheduled]] = await Promise.all([desk.inspection.details([id]), desk.inspection.schedules([id])]);
  const found = details?.task ?? scheduled?.schedule;
  if (found === undefined) throw new RotaError('NOT_FOUND', `there is neither a task nor a schedule ${id}`);
  const { scheduler_id: scheduler, organisation, data } = found;
  const trigger = details === undefined ? 'schedule' : 'event';
  return {
    ...subject({ scheduler, organisation, data, trigger }, desk.typeOf(scheduler)),
    schedule: scheduled ?? null,
  };
}

function rawFileSubject({ rawFile: event, normalizer }: Extract<Question, { rawFile: unknown }>): Subject {
  const { size = null, ...raw } = event.raw_data;
  const about = { scheduler: 'normalizer', organisation: event.organization, trigger: 'event' } as const;
  const data = { raw_data: raw, size };
  if (normalizer === undefined) return { ...about, data, hash: null, plugin: null, schedule: null };
  return subject({ ...about, data: { ...data, normalizer: { id: normalizer } } }, 'normalizer');
}

function subject(about: Omit<Subject, 'hash' | 'plugin' | 'schedule'>, type: string): Subject {
  const taskType = taskTypeOf(type);
  const parsed = taskType.schema.safeParse(about.data);
  if (!parsed.success)
    throw new RotaError('BAD_REQUEST', `its data is not that of a ${type} task: nothing can be said about it`);
  return { ...about, hash: taskType.hash(parsed.data), plugin: taskType.columns(parsed.data).plugin, schedule: null };
}
