import type { z } from 'zod';
import { RotaError } from '../errors.ts';
import { excerpt } from '../printable.ts';

/** Faults that one error names, in texts of 200 characters each; more are counted. */
export const mostFaults = 20;

/** @throws RotaError INVALID_REQUEST (422) that names the first wrong fields and what was expected of each. */
export function check<T extends z.ZodType>(schema: T, value: unknown, at = ''): z.output<T> {
  const parsed = schema.safeParse(value, { reportInput: false });
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const faults = issues.slice(0, mostFaults).map((issue) => ({
    field: excerpt([at, ...issue.path].filter((part) => part !== '').join('.') || 'body'),
    message: excerpt(issue.message.replace(/^Invalid input: /, '')),
  }));
  const texts = faults.map((fault) => `${fault.field}: ${fault.message}`);
  if (issues.length > faults.length) texts.push(`and ${issues.length - faults.length} more`);
  throw new RotaError('INVALID_REQUEST', texts.join('; '), { fields: { fields: faults.map((fault) => fault.field) } });
}
