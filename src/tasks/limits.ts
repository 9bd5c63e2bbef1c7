import { z } from 'zod';
import { RotaError } from '../errors.ts';
import { excerpt, excerptInBytes, oneLine, printable } from '../printable.ts';
import { textWithoutSecrets } from './secrets.ts';
import { errorCode, errorLengths, type TaskData, type TaskError } from './task.ts';

/**
 * How long a name may be, in bytes of UTF-8: the same at every edge (REST, NATS, events). Names are part of indexes, answers
 * and log lines; one organisation of 1 MB made each later answer to `rota status` larger than NATS carries.
 *
 * The rows of Postgres' indexes decide: at most 2 704 bytes, header included. Organisation and OOI are in one
 * (`tasks_ooi`), and so are scheduler, organisation and plug-in (`pauses_key`): 2 560 bytes of text each, at most.
 */
export const lengths = {
  /** Of plug-ins, recipes, schedulers, images, deduplication keys, mime types, subjects. */
  name: 1_024,
  /** KAT's own have 32 characters at most. */
  organisation: 512,
  /** The reference of an OOI holds whole URLs: those of 2 000 characters work on the web, longer ones seldom do. */
  ooi: 2_048,
} as const;

/** Why a task failed, as edges take it and the queue keeps it: without secrets and control characters, on one line but for `detail`. */
export const taskError = z
  .strictObject({
    code: z.string().regex(errorCode, 'at most 64 of A-Z, a-z, 0-9, _, . and -').nullish(),
    message: z.string(),
    detail: z.string().nullish(),
  })
  .transform(({ code, message, detail }): TaskError => ({
    ...(code == null ? {} : { code }),
    message: excerptInBytes(oneLine(textWithoutSecrets(message)).toWellFormed(), errorLengths.message),
    ...(detail == null
      ? {}
      : { detail: excerptInBytes(printable(textWithoutSecrets(detail)).toWellFormed(), errorLengths.detail) }),
  }));

/** What completes has no error. */
export function mayHaveError(status: string | null | undefined): boolean {
  return status === 'failed' || status === 'queued' || status === 'cancelled';
}

/** Organisations, boefjes or images of one scheduler's queue that one answer tells apart. */
export const partsAtMost = 100;

/** In bytes, the bodies of all dead letters of an answer: it is one message of NATS, which carries 1 MB with the rest around it. */
export const letterBodiesAtMost = 700_000;

/** Of an organisation's weight: fair-share moves by whole numbers, of which the table's CHECK has the reasons. */
export const weightRange = { least: 0.001, most: 1_000 } as const;

/** A UTF-16 unit is three bytes of UTF-8 at most: most texts are short enough without being encoded. */
export function isLongerThan(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && Buffer.byteLength(text) > bytes);
}

/** The fault of a text that is too long, as edges report it; never the text itself. */
export function tooLong(bytes: number): string {
  return `at most ${bytes} bytes`;
}

/** A text of at most so many bytes. A fault has `params.tooLong`. */
export function shortText(bytes: number): z.ZodString {
  return z
    .string()
    .refine((text) => !isLongerThan(text, bytes), { message: tooLong(bytes), params: { tooLong: true } });
}

/** A text of a task's data that is bounded: its field, the text, and how many bytes it may have. */
export type BoundedText = readonly [field: string, text: string | null, most: number];

/** What of a type of task (data.ts) bounds its data, for all that stores data: pushes, schedules, patches of both. */
interface BoundedType {
  readonly schema: z.ZodType<Record<string, unknown>>;
  texts(data: Record<string, unknown>): readonly BoundedText[];
}

/** Of data as a patch brings it: other faults of it are reported elsewhere. @throws RotaError INVALID_REQUEST */
export function checkDataLengths(type: BoundedType, given: TaskData): void {
  const parsed = type.schema.safeParse(given);
  if (parsed.success) checkTexts(type, parsed.data);
  else refuseLongText(parsed.error);
}

/** @throws RotaError INVALID_REQUEST */
export function checkTexts(type: Pick<BoundedType, 'texts'>, data: TaskData): void {
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

/**
 * Lists and objects within each other in a text that is to be parsed as JSON. KAT's tasks have some ten; at several thousand
 * a walk through the value (ours, the driver’s, Postgres’s) runs out of stack, and fails a whole batch. FastAPI stops
 * near a thousand.
 */
export const deepestNesting = 500;
/** Values of one text: a set of 1 000 tasks has 30 000. 2 MB of `{}` are 660 000, which take 110 ms and 60 MB to parse. */
export const mostValues = 100_000;

/** What is too much about a text, JSON or not, before it is parsed; null where nothing is. */
export function jsonExcess(text: string, deepest = deepestNesting): 'depth' | 'values' | null {
  // Too short for either: most requests.
  if (text.length <= deepest) return null;
  let depth = 0;
  let values = 1;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfString(text, at);
    } else if (code === comma) {
      values += 1;
      if (values > mostValues) return 'values';
    } else if (code === openList || code === openObject) {
      depth += 1;
      values += 1;
      if (depth > deepest) return 'depth';
    } else if (code === closeList || code === closeObject) depth -= 1;
  }
  return null;
}

/** Where the string ends that begins at `from`. By indexOf: a text of 1 MB takes 0.1 ms so, and 1.5 by its characters. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

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
