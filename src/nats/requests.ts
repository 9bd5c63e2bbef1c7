import { z } from 'zod';
import { RotaError } from '../errors.ts';
import { filterOperators } from '../queue/filter.ts';
import { excessOf } from '../queue/filter-budget.ts';
import { deepestNesting, nestsTooDeep } from '../tasks/nesting.ts';
import { taskStatuses } from '../tasks/status.ts';

/**
 * The bodies that workers and clients send (docs/workers.md), checked at the edge. Objects are strict: a misspelt key is told,
 * not ignored.
 */

/** Tasks, patches or leases of one request: more would hold the database's connection for too long. */
export const maxSet = 1_000;
/** A poll that waits longer is better repeated: a requester that vanished is noticed only at the end of its wait. */
export const maxWaitMs = 600_000;
const dayMs = 86_400_000;
const int4 = { min: -2_147_483_648, max: 2_147_483_647 };

const leaseMs = z.int().min(100).max(dayMs);
const uuid = z.uuid();

const filter = z.strictObject({
  column: z.string().min(1),
  field: z.string().nullish(),
  operator: z.enum(filterOperators),
  value: z.unknown(),
});
/** The budget first: a union tells what is wrong with every arm of every condition. */
const withinBudget = z.unknown().transform((filters, context): unknown => {
  const excess = excessOf(filters);
  if (excess === null) return filters;
  context.addIssue({ code: 'custom', message: excess.message, path: [...excess.path] });
  return z.NEVER;
});
const filterRequest = z.strictObject({
  filters: withinBudget.pipe(
    z.union([
      z.array(filter),
      z.strictObject({
        and: z.array(filter).optional(),
        or: z.array(filter).optional(),
        not: z.array(filter).optional(),
      }),
    ]),
  ),
});

export const popBody = z.strictObject({
  limit: z.int().min(1).max(maxSet).default(1),
  filters: filterRequest.nullish(),
  wait_ms: z.int().min(0).max(maxWaitMs).default(0),
  lease_ms: leaseMs.optional(),
  worker: z.string().max(200).nullish(),
});

export const taskBody = z.strictObject({
  id: uuid.optional(),
  scheduler_id: z.string().optional(),
  organisation: z.string().min(1),
  priority: z.int().min(int4.min).max(int4.max).optional(),
  data: z.record(z.string(), z.unknown()),
});

export const pushSetBody = z.strictObject({ tasks: z.array(z.unknown()).min(1).max(maxSet) });

export const getBody = z.strictObject({ id: uuid });

export const patchBody = z.strictObject({ id: uuid, status: z.enum(taskStatuses), lease_id: uuid.nullish() });

export const patchSetBody = z.strictObject({ patches: z.array(patchBody).min(1).max(maxSet) });

export const heartbeatBody = z.strictObject({
  leases: z
    .array(z.strictObject({ id: uuid, lease_id: uuid }))
    .min(1)
    .max(maxSet),
  lease_ms: leaseMs.optional(),
});

/** @throws RotaError INVALID_REQUEST (422). An empty body is an empty object. */
export function parseJson(text: string): unknown {
  if (text.trim() === '') return {};
  if (nestsTooDeep(text)) throw new RotaError('INVALID_REQUEST', `body: nests deeper than ${deepestNesting} levels`);
  try {
    return JSON.parse(text);
  } catch {
    throw new RotaError('INVALID_REQUEST', 'body: expected JSON');
  }
}

/** @throws RotaError INVALID_REQUEST (422) that names each wrong field and what was expected of it. */
export function check<T extends z.ZodType>(schema: T, value: unknown, at = ''): z.output<T> {
  const parsed = schema.safeParse(value, { reportInput: false });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => ({
    field: [at, ...issue.path].filter((part) => part !== '').join('.') || 'body',
    message: issue.message.replace(/^Invalid input: /, ''),
  }));
  const text = faults.map((fault) => `${fault.field}: ${fault.message}`).join('; ');
  throw new RotaError('INVALID_REQUEST', text, { fields: { fields: faults.map((fault) => fault.field) } });
}
