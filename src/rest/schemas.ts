import { z } from 'zod';
import { priorityRange, taskStatuses } from '../tasks/task.ts';
import { lengths, taskError, weightRange } from '../tasks/limits.ts';
import {
  boundedField,
  bytesField,
  choiceField,
  dictionaryField,
  flagField,
  integerField,
  schemaField,
  shortTextField,
  stringField,
  timestampField,
  uuidField,
  decimal,
  integer,
  number,
} from './fields.ts';
import { filterBody, nullableFilterBody } from './filters.ts';

/** Every request and answer of the API: these validate, type the handlers and make /openapi.json. */

const organisationField = () => bytesField(lengths.organisation);
const priority = () => boundedField(integer, priorityRange.least, priorityRange.most, 'integer');
const listBounds = {
  offset: integerField().optional(),
  limit: integerField().optional(),
  allow_partial_count: flagField().optional(),
  max_pages: integerField().optional(),
};

const taskStatus = () => choiceField(taskStatuses);

// Requests

export const schedulerPath = z.object({ scheduler_id: stringField() });
export const taskPath = z.object({ task_id: uuidField() });
export const schedulePath = z.object({ schedule_id: uuidField() });

export const weightPath = z.object({
  scheduler_id: stringField(),
  organisation: organisationField().refine((text) => !text.includes('\0'), {
    message: 'String should have no NUL',
    params: { type: 'value_error' },
  }),
});

export const healthQuery = z.object({ externals: flagField().optional() });

/** Seconds a pop may wait at most: under the 30 s after which KAT's runners give up on an answer. */
export const longestWaitSeconds = 25;

export const popQuery = z.object({
  limit: integerField().optional(),
  wait: boundedField(decimal, 0, longestWaitSeconds, 'number').optional(),
});

export const optionalFilters = nullableFilterBody().optional();
export const requiredFilters = filterBody();

/** The keys of a Task that a push does not have: with any of them the push is a release. */
export const releaseKeys = ['status', 'type', 'hash', 'created_at', 'modified_at', 'schedule_id'] as const;

export const taskPush = z.strictObject({
  id: uuidField().nullish(),
  scheduler_id: stringField().nullish(),
  organisation: organisationField(),
  priority: priority().nullish(),
  data: dictionaryField(),
});

export const taskPatch = z.object({
  id: uuidField().nullish(),
  scheduler_id: stringField().nullish(),
  schedule_id: uuidField().nullish(),
  organisation: organisationField().nullish(),
  priority: priority().nullish(),
  status: taskStatus().nullish(),
  type: stringField().nullish(),
  hash: stringField().nullish(),
  data: dictionaryField().nullish(),
  error: schemaField(taskError).nullish(),
  created_at: timestampField().nullish(),
  modified_at: timestampField().nullish(),
});

export const tasksQuery = z.object({
  scheduler_id: stringField().optional(),
  organisation: organisationField().optional(),
  task_type: stringField().optional(),
  status: taskStatus().optional(),
  ...listBounds,
  min_created_at: timestampField().optional(),
  max_created_at: timestampField().optional(),
  input_ooi: bytesField(lengths.ooi).optional(),
  plugin_id: stringField().optional(),
});

/** Query parameters that may be given more than once; of the others the last one counts. */
export const repeatedParameters: ReadonlySet<string> = new Set(['organisation_ids']);

export const statsQuery = z.object({
  scheduler_id: stringField().optional(),
  organisation_id: organisationField().optional(),
  organisation_ids: z.array(organisationField()).optional(),
});

export const schedulesQuery = z.object({
  scheduler_id: stringField().optional(),
  organisation: organisationField().optional(),
  schedule_hash: stringField().optional(),
  enabled: flagField().optional(),
  ...listBounds,
  min_deadline_at: timestampField().optional(),
  max_deadline_at: timestampField().optional(),
  min_created_at: timestampField().optional(),
  max_created_at: timestampField().optional(),
});

export const searchQuery = z.object(listBounds);

export const scheduleCreate = z.strictObject({
  scheduler_id: stringField(),
  organisation: organisationField(),
  data: dictionaryField(),
  schedule: stringField().nullish(),
  deadline_at: timestampField().nullish(),
});

export const schedulePatch = z.object({
  hash: shortTextField(32).nullish(),
  data: dictionaryField().nullish(),
  enabled: flagField().nullish(),
  schedule: stringField().nullish(),
  deadline_at: timestampField().nullish(),
});

export const weightsQuery = z.object({ offset: integerField().optional(), limit: integerField().optional() });

export const weightBody = z.strictObject({
  weight: boundedField(number, weightRange.least, weightRange.most, 'number'),
});

// Answers, for the description only: what is sent is JSON text from Postgres.

const moment = z.string().meta({ format: 'date-time' });
const anyObject = z.record(z.string(), z.unknown());

export const taskAnswer = z
  .object({
    id: z.guid(),
    scheduler_id: z.string(),
    schedule_id: z.guid().nullable(),
    organisation: z.string(),
    priority: z.int().nullable(),
    status: z.enum(taskStatuses),
    type: z.string(),
    hash: z.string().nullable(),
    data: anyObject,
    created_at: moment,
    modified_at: moment,
  })
  .meta({ id: 'Task' });

export const tasksAnswer = z.object({ results: z.array(taskAnswer) }).meta({ id: 'TaskPop' });

export const startAnswer = z
  .object({
    estimated_start_at: moment.nullable().describe('if workers go on as in the last minutes'),
    unknown: z
      .enum(['not-queued', 'held', 'limited', 'nobody-asks', 'none-handed-out'])
      .nullable()
      .describe('why there is none'),
    image: z.string().nullable(),
    among: z.enum(['image', 'all']).nullable().describe('the tasks that are counted'),
    before: z.int().nullable().describe('of those, before it'),
    before_is_least: z.boolean(),
    per_second: z.number().nullable(),
    over_seconds: z.number().nullable(),
    asked_at: moment.nullable().describe('when a pop last asked for its image, or for any'),
  })
  .meta({ id: 'StartEstimate' });

export const scheduleAnswer = z
  .object({
    id: z.guid(),
    scheduler_id: z.string(),
    organisation: z.string(),
    hash: z.string().nullable(),
    data: anyObject,
    enabled: z.boolean(),
    schedule: z.string().nullable(),
    deadline_at: moment.nullable(),
    created_at: moment,
    modified_at: moment,
  })
  .meta({ id: 'Schedule' });

export const pageAnswer = z
  .object({
    count: z.int(),
    next: z.string().nullable(),
    previous: z.string().nullable(),
    results: z.array(anyObject),
    is_partial_count: z.boolean().optional().describe('only where allow_partial_count was asked for'),
  })
  .meta({ id: 'PaginatedResponse' });

export const schedulerAnswer = z
  .object({
    id: z.string(),
    type: z.string(),
    item_type: z.string(),
    qsize: z.int(),
    last_activity: moment.nullable(),
  })
  .meta({ id: 'Scheduler' });

export const weightAnswer = z.object({ weight: z.number(), before: z.number() }).meta({ id: 'ChangedWeight' });

export const statsAnswer = z.record(z.string(), z.record(z.string(), z.int()));

const healthPart = z.object({
  service: z.string(),
  healthy: z.boolean(),
  version: z.string().nullable(),
  additional: z.unknown(),
});
export const healthAnswer = healthPart
  .extend({ results: z.array(healthPart), externals: z.record(z.string(), z.boolean()) })
  .meta({ id: 'ServiceHealth' });

export const readyAnswer = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });

export const errorAnswer = z.object({ detail: z.string() }).meta({ id: 'Error' });

export const invalidAnswer = z
  .object({
    detail: z.array(
      z.object({
        type: z.string(),
        loc: z.array(z.union([z.string(), z.int()])),
        msg: z.string(),
        input: z.unknown(),
        ctx: anyObject.optional(),
      }),
    ),
  })
  .meta({ id: 'HTTPValidationError' });
