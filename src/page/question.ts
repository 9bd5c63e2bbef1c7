import { z } from 'zod';
import type { BodyOf } from '../control/operations.ts';
import { RotaError } from '../errors.ts';
import { parametersOf } from './page.ts';
import type { Form } from './reply.ts';

/** In UTF-16 units. Bytes' event about a raw file is some 2 kB; an address may have 16. */
export const longestFile = 8_000;

const parameters = z.object({
  id: z.string().trim().optional(),
  organisation: z.string().trim().optional(),
  boefje: z.string().trim().optional(),
  ooi: z.string().trim().optional(),
  raw_file: z.string().max(longestFile, `at most ${longestFile} characters`).transform(compact).optional(),
  normalizer: z.string().trim().optional(),
});

/** JSON without line breaks, which a page would show escaped. */
function compact(text: string): string {
  const parsed = jsonIn(text);
  return parsed === undefined ? text : JSON.stringify(parsed);
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export type Asked = z.output<typeof parameters>;

/** What a page or a form asks about, as its parameters have it. */
export function askedOf(given: Form): Asked {
  return parametersOf(parameters, given);
}

/**
 * The body of `explain` and `run-now`; null where nothing is asked yet.
 * @throws RotaError INVALID_REQUEST that says what is missing
 */
export function questionOf({
  id,
  organisation,
  boefje,
  ooi,
  raw_file: file,
  normalizer,
}: Asked): BodyOf<'explain'> | null {
  if (id !== undefined) return { id };
  if (file !== undefined) return { raw_file: eventIn(file), ...(normalizer === undefined ? {} : { normalizer }) };
  if (organisation !== undefined && boefje !== undefined)
    return { organisation, boefje, ...(ooi === undefined ? {} : { ooi }) };
  if (organisation === undefined && boefje === undefined && ooi === undefined && normalizer === undefined) return null;
  const missing = organisation === undefined ? 'organisation' : normalizer === undefined ? 'boefje' : 'raw file';
  throw new RotaError(
    'INVALID_REQUEST',
    `${missing}: name it, too: an explanation needs organisation and boefje, an id, or a raw file`,
  );
}

type RawFile = NonNullable<BodyOf<'explain'>['raw_file']>;

/** The event, or a dead letter whose body is it. The command checks its fields. */
function eventIn(text: string): RawFile {
  const found = jsonIn(text);
  if (typeof found !== 'object' || found === null)
    throw new RotaError('INVALID_REQUEST', 'raw file: expected the event of Bytes about it as JSON');
  return ('body' in found ? found.body : found) as RawFile;
}
