import { z } from 'zod';
import { RotaError } from '../errors.ts';
import { filterDescription, filterRequest } from '../queue/filter/schema.ts';
import {
  deepestNesting,
  jsonExcess,
  lengths,
  mayHaveError,
  mostValues,
  shortText,
  taskError,
} from '../tasks/limits.ts';
import { priorityRange, taskStatuses } from '../tasks/task.ts';
import { requestBudget } from './budgets.ts';

/**
 * The bodies that workers and clients send (docs/workers.md), checked at the edge. Objects are strict: a misspelt key
 * is refused, not ignored. Compiled, as data is (tasks/data.ts).
 */

const leaseMs = z.int().min(100).max(requestBudget.leaseMs);
const uuid = z.uuid();

/** zod checks every item before it counts them: 300 000 that are wrong took 16 s. So they are counted first. */
function atMost<T extends z.ZodType>(most: number, item: T, { least = 0 } = {}) {
  return z.array(z.unknown()).min(least).max(most).pipe(z.array(item));
}

export const taskBody = z.compile(
  z.strictObject({
    id: uuid.optional(),
    scheduler_id: shortText(lengths.name).min(1).optional(),
    organisation: shortText(lengths.organisation).min(1),
    priority: z.int().min(priorityRange.least).max(priorityRange.most).optional(),
    data: z.record(z.string(), z.unknown()),
  }),
);

export const pushSetBody = z.compile(
  z.strictObject({
    tasks: atMost(requestBudget.set, z.unknown(), { least: 1 }),
    // The answer has the id and status of each task, not the whole of it.
    brief: z.boolean().default(false),
  }),
);

/** Required, but checked per task in settle.ts, so that one task without it does not refuse the whole set. */
const leaseId = uuid.nullish();

export const getBody = z.compile(z.strictObject({ id: uuid, lease_id: leaseId }));

export const patchBody = z.compile(
  z
    .strictObject({ id: uuid, status: z.enum(taskStatuses), lease_id: leaseId, error: taskError.nullish() })
    .refine(({ status, error }) => error == null || mayHaveError(status), {
      path: ['error'],
      message: 'only with failed, queued or cancelled',
    }),
);

const patches = atMost(requestBudget.set, patchBody, { least: 1 });

export const patchSetBody = z.compile(z.strictObject({ patches }));

export const popBody = z.compile(
  z.strictObject({
    limit: z.int().min(1).max(requestBudget.set).default(1),
    filters: filterRequest.nullish(),
    // A longer wait is cut to that minute: no reason to refuse a pop.
    wait_ms: z
      .int()
      .min(0)
      .default(0)
      .transform((ms) => Math.min(ms, requestBudget.waitMs)),
    lease_ms: leaseMs.optional(),
    worker: z.string().max(requestBudget.worker).nullish(),
    patches: patches.optional(),
  }),
);

export const heldTask = z.compile(z.strictObject({ id: uuid, lease_id: uuid }));

export const heartbeatBody = z.compile(
  z.strictObject({
    leases: atMost(requestBudget.set, heldTask, { least: 1 }),
    lease_ms: leaseMs.optional(),
  }),
);

/** @throws RotaError INVALID_REQUEST (422). An empty body is an empty object. */
export function parseBody(text: string): unknown {
  if (text.trim() === '') return {};
  const excess = jsonExcess(text);
  if (excess !== null) {
    const what = excess === 'depth' ? `nests deeper than ${deepestNesting} levels` : `more than ${mostValues} values`;
    throw new RotaError('INVALID_REQUEST', `body: ${what}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new RotaError('INVALID_REQUEST', 'body: expected JSON');
  }
}

/**
 * What each endpoint takes, as JSON Schema, made from the schemas that validate: `nats micro info` shows it, and `/asyncapi.json` is
 * made of it (test/support/asyncapi.ts).
 */
export type JsonSchema = Readonly<Record<string, unknown>>;

export const endpointNames = ['pop', 'push', 'task-get', 'task-patch', 'task-heartbeat', 'ctl'] as const;
export type EndpointName = (typeof endpointNames)[number];

/** As a client writes it: what a transform makes of it is ours. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _version, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

export function requestSchemas(): Readonly<Record<EndpointName, JsonSchema>> {
  return {
    pop: withProperty(ofSet(popBody, 'patches', patchBody), 'filters', {
      anyOf: [filterDescription, { type: 'null' }],
    }),
    push: { anyOf: [jsonSchemaOf(taskBody), ofSet(pushSetBody, 'tasks', taskBody)] },
    'task-get': jsonSchemaOf(getBody),
    'task-patch': { anyOf: [jsonSchemaOf(patchBody), ofSet(patchSetBody, 'patches', patchBody)] },
    'task-heartbeat': ofSet(heartbeatBody, 'leases', heldTask),
    ctl: {
      type: ['object', 'null'],
      description: 'its command is the last token of the subject; /asyncapi.json has each',
    },
  };
}

/** Items are counted before they are looked at (requests.ts), so zod says nothing of them here. */
function ofSet(set: z.ZodType, key: string, item: z.ZodType): JsonSchema {
  const schema = jsonSchemaOf(set);
  const list = (schema['properties'] as Record<string, JsonSchema>)[key];
  return withProperty(schema, key, { ...list, items: jsonSchemaOf(item) });
}

function withProperty(schema: JsonSchema, key: string, property: JsonSchema): JsonSchema {
  return { ...schema, properties: { ...(schema['properties'] as JsonSchema), [key]: property } };
}

/** Of a micro service's endpoint: texts only. All of them have 10 kB in the answer to `$SRV.INFO`. */
export function metadataOf(name: EndpointName): Record<string, string> {
  return { schema: JSON.stringify(requestSchemas()[name]), asyncapi: `/asyncapi.json#/operations/${name}` };
}
