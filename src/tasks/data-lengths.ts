import type { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { TaskType } from './data.ts';
import { isLongerThan, tooLong } from './lengths.ts';
import type { TaskData } from './task.ts';

/** The lengths of texts in a task's data (lengths.ts), for all that stores data: pushes, schedules, patches of both. */

/** Of data as a patch brings it: what is wrong with it but its lengths is said elsewhere. @throws RotaError INVALID_REQUEST */
export function checkDataLengths(type: TaskType, given: TaskData): void {
  const parsed = type.schema.safeParse(given);
  if (parsed.success) checkTexts(type, parsed.data);
  else refuseLongText(parsed.error);
}

/** @throws RotaError INVALID_REQUEST */
export function checkTexts(type: TaskType, data: TaskData): void {
  for (const [field, text, most] of type.texts(data)) checkLength(`data.${field}`, text, most);
}

/** @throws RotaError INVALID_REQUEST where one of the faults is a length */
export function refuseLongText(error: z.ZodError): void {
  const long = error.issues.find((issue) => issue.code === 'custom' && issue.params?.['tooLong'] === true);
  if (long !== undefined) throw new RotaError('INVALID_REQUEST', `data.${long.path.join('.')}: ${long.message}`);
}

/** @throws RotaError INVALID_REQUEST */
export function checkLength(field: string, text: string | null, most: number): void {
  if (text !== null && isLongerThan(text, most)) throw new RotaError('INVALID_REQUEST', `${field}: ${tooLong(most)}`);
}
