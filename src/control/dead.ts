import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { DeadLetter, DeadLetters } from '../events/dead-letters.ts';
import type { DeadLetterView } from '../protocol/operator.ts';
import { withoutSecrets } from '../tasks/data.ts';
import { lengths, shortText } from '../tasks/lengths.ts';
import { type Audit, command, type OperatorCommand } from './operator-command.ts';

export interface DeadDesk {
  /** Null where no event source is configured. */
  readonly deadLetters: DeadLetters | null;
  readonly audit: Audit;
}

const stream = z.enum(['scan_profile_mutations', 'raw_file_received']);

/** Events that were given up: to look at, to try again, to remove. */
export function deadCommands({ deadLetters, audit }: DeadDesk): readonly OperatorCommand[] {
  const letters = () => {
    if (deadLetters !== null) return deadLetters;
    throw new RotaError('SERVICE_UNAVAILABLE', 'no event source is configured: neither QUEUE_URI nor jetstream');
  };
  return [
    command(
      'dead-letters',
      z.strictObject({ limit: z.int().min(1).max(1_000).default(20), id: shortText(lengths.name).optional() }),
      async ({ limit, id }) => {
        const found = await letters().list(limit);
        return { results: withBodies(id === undefined ? found : found.filter((letter) => letter.id === id)) };
      },
    ),
    command(
      'settle-dead-letters',
      z.strictObject({
        action: z.enum(['requeue', 'drop']),
        stream: stream.optional(),
        ids: z.array(shortText(lengths.name)).min(1).optional(),
      }),
      async ({ action, stream, ids }, { by }) => {
        const which = { ...(stream === undefined ? {} : { stream }), ...(ids === undefined ? {} : { ids }) };
        const settled = await letters().settle(action, which);
        audit(`${action}-dead-letters`, by, { events: settled.length });
        return { settled };
      },
    ),
  ];
}

/** In bytes, over all of one answer: it goes as one message of NATS, which carries 1 MB with the rest around it. */
const bodiesAtMost = 700_000;

/** A body for which no room is left is null, and `body_bytes` its length; `id` asks for one with room for itself. */
function withBodies(letters: readonly DeadLetter[]): readonly DeadLetterView[] {
  let room = bodiesAtMost;
  return letters.map(({ body, ...letter }) => {
    const bytes = Buffer.byteLength(JSON.stringify(body));
    if (bytes <= room) {
      room -= bytes;
      return { ...letter, body: shown(body) };
    }
    return { ...letter, body: null, body_bytes: Buffer.byteLength(body) };
  });
}

/**
 * What Octopoes or Bytes sent, without what a runner may have put into it. Text where it is no JSON object, as all that they send
 * is, or nests too deep to be looked through: an answer with it could not be written.
 */
function shown(body: string): unknown {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return body;
    return withoutSecrets(parsed as Record<string, unknown>);
  } catch {
    return body;
  }
}
