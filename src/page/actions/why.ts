import { z } from 'zod';
import type { BodyOf } from '../../control/operations.ts';
import { whyNotNow } from '../../control/verdict.ts';
import { RotaError } from '../../errors.ts';
import { foreign, html } from '../html.ts';
import { type Action, type PageRequest, parametersOf } from '../page.ts';
import type { Form } from '../reply.ts';

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

/** For a first look at whether it may be queued: the command decides anew, and waits longer. */
const withinMs = 3_000;

function asked(form: Form) {
  const question = questionOf(askedOf(form));
  if (question === null)
    throw new RotaError('INVALID_REQUEST', 'expected what to queue: organisation and boefje, or an id');
  return question;
}

/** Queues what only waits for its time, as a person in Rocky does. */
export const runNow: Action = {
  async confirm(form, { operators }: PageRequest) {
    const view = await operators.ask('explain', { ...asked(form), within_ms: withinMs });
    const why = whyNotNow(view);
    if (why !== null) throw new RotaError('CONFLICT', `This may not be queued by hand: ${why}.`);
    const pause = view.in_the_way.find(({ what }) => what === 'pause');
    return {
      title: 'Queue it now?',
      effects: html`<ul>
        <li>
          One task of scheduler ${view.scheduler} is queued for organisation ${foreign(view.organisation)}, of priority
          1: it goes before all that no person asked for.
        </li>
        <li>
          Its grace period does not hold it back. Clearance, consent and what is queued are looked at again first.
        </li>
        ${pause !== undefined && html`<li>It is held meanwhile: ${foreign(pause.fact)}.</li>`}
        ${view.schedule !== null && html`<li>Its schedule goes on, and its next run is counted from now.</li>`}
        <li>It is taken back by cancelling the task.</li>
      </ul>`,
      button: 'Queue it now',
    };
  },
  async run(form, { operators }) {
    const { task, organisation } = await operators.ask('run-now', asked(form));
    return { says: `Queued for ${organisation} with priority 1: task ${task}.` };
  },
};
