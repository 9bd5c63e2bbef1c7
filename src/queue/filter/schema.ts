import { z } from 'zod';
import { excessOf, filterOperators } from './filter.ts';

/**
 * The filter language as requests carry it, once: NATS validates with `filterRequest`, the readers of REST follow `filterMembers`
 * and `filterGroups`, and /openapi.json shows `filterDescription`. The queue says what columns and operators mean.
 */

export const filterMembers = {
  column: z.string().min(1).describe('a column, or a relationship (`schedule` of tasks, `tasks` of schedules)'),
  field: z.string().nullish().describe('path into JSON, steps joined by `__`, or a related column'),
  operator: z.enum(filterOperators),
  value: z.unknown().describe('a scalar, null, or a list of one kind'),
};

export const filterGroups = ['and', 'or', 'not'] as const;

/** @param object of zod: strict, or one that ignores unknown keys */
function filtersOf(object: typeof z.strictObject) {
  const list = z.array(object(filterMembers));
  const groups = { and: list.optional(), or: list.optional(), not: list.optional() };
  return z.union([list, object(groups satisfies Record<(typeof filterGroups)[number], unknown>)]);
}

/** The budget first: a union reports the faults of every arm of every condition. */
const withinBudget = z.unknown().transform((filters, context): unknown => {
  const excess = excessOf(filters);
  if (excess === null) return filters;
  context.addIssue({ code: 'custom', message: excess.message, path: [...excess.path] });
  return z.NEVER;
});

export const filterRequest = z.strictObject({ filters: withinBudget.pipe(filtersOf(z.strictObject)) });

const { $schema: _version, ...description } = z.toJSONSchema(z.object({ filters: filtersOf(z.object) }), {
  io: 'input',
});

/** As JSON Schema. REST ignores unknown keys. */
export const filterDescription = description;
