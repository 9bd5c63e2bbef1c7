import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { DeadLetter, DeadLetters } from '../events/dead-letters.ts';
import { excerptInJson } from '../printable.ts';
import type { DeadLetterView } from '../protocol/operator-status.ts';
import { lengths, letterBodiesAtMost, shortText } from '../tasks/limits.ts';
import { withoutSecrets } from '../tasks/secrets.ts';
import { eventStreams } from '../tasks/task.ts';
import { auditIds, type CommandAudit, command, maxAge, type SomeCommands } from './operator-command.ts';
import { recent } from './recent.ts';

export interface DeadLetterPorts {
  /** Null where no event source is configured. */
  readonly deadLetters: Pick<DeadLetters, 'list' | 'settle'> | null;
  readonly audit: CommandAudit;
}

const stream = z.enum(eventStreams);

/** Of each stream: what a screen that is looked at again and again shows. */
const fewLetters = 20;

/** Events that were given up: to look at, to try again, to remove. */
export function deadLetterCommands({ deadLetters, audit }: DeadLetterPorts) {
  const letters = () => {
    if (deadLetters !== null) return deadLetters;
    throw new RotaError('SERVICE_UNAVAILABLE', 'no event source is configured: neither QUEUE_URI nor jetstream');
  };
  const inTurn = turns();
  // Of RabbitMQ a list takes its letters out while it reads them: no other list finds those.
  const lists = new Map<string, Promise<readonly DeadLetter[]>>();
  const list = (limit: number, id?: string): Promise<readonly DeadLetter[]> => {
    const source = letters();
    const key = JSON.stringify([limit, id]);
    const known = lists.get(key);
    if (known !== undefined) return known;
    const listed = inTurn(() => source.list(limit, id)).finally(() => lists.delete(key));
    lists.set(key, listed);
    return listed;
  };
  const few = recent(() => list(fewLetters));
  return {
    'dead-letters': command(
      'read',
      z.strictObject({
        limit: z.int().min(1).max(1_000).default(20),
        id: shortText(lengths.name).optional(),
        ...maxAge,
      }),
      async ({ limit, id, max_age_seconds: seconds }) => {
        const isKept = seconds > 0 && limit === fewLetters && id === undefined;
        return { results: deadLetterViews(await (isKept ? few(seconds * 1_000) : list(limit, id))) };
      },
    ),

    'settle-dead-letters': command(
      'operate',
      z.strictObject({
        action: z.enum(['requeue', 'drop']),
        stream: stream.optional(),
        ids: z.array(shortText(lengths.name)).min(1).optional(),
      }),
      async ({ action, stream, ids }, { by }) => {
        const which = { ...(stream === undefined ? {} : { stream }), ...(ids === undefined ? {} : { ids }) };
        const source = letters();
        const settled = await inTurn(() => source.settle(action, which)).finally(() => few.forget());
        audit(`${action}-dead-letters`, by, { events: settled.length, stream: stream ?? null, ...auditIds(settled) });
        return { settled };
      },
    ),
  } satisfies SomeCommands;
}

/** That wait for their turn: others are refused. */
const mostInTurn = 16;
/** Clients wait 10 s: what could not begin by then is not done behind their backs. */
const beginsWithinMs = 8_000;

/** One after the other. @throws RotaError MAILBOX_FULL, SERVICE_UNAVAILABLE for what could not begin in time */
function turns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async (work) => {
    if (waiting >= mostInTurn) {
      throw new RotaError('MAILBOX_FULL', `${waiting} requests for dead letters wait already: try again`);
    }
    waiting += 1;
    const asked = performance.now();
    const turn = last.then(() => {
      waiting -= 1;
      if (performance.now() - asked <= beginsWithinMs) return work();
      throw new RotaError('SERVICE_UNAVAILABLE', 'others read or settle dead letters: not begun; try again');
    });
    last = turn.catch(() => {});
    return turn;
  };
}

/**
 * A body without room left is null, with `body_bytes` its length; a request for its `id` has room for it, or for the beginning of its
 * text where the event itself is nearly as large as a message of NATS.
 */
function deadLetterViews(letters: readonly DeadLetter[]): readonly DeadLetterView[] {
  let room = letterBodiesAtMost;
  return letters.map(({ body, bodyBytes, ...letter }) => {
    if (body === null) return { ...letter, body, body_bytes: bodyBytes };
    const bytes = Buffer.byteLength(JSON.stringify(body));
    if (bytes <= room) {
      room -= bytes;
      return { ...letter, body: bodyView(body) };
    }
    const beginning = letters.length === 1 ? excerptInJson(JSON.stringify(bodyView(body)), letterBodiesAtMost) : null;
    return { ...letter, body: beginning, body_bytes: bodyBytes };
  });
}

/**
 * The event of Octopoes or Bytes without the secrets that a runner may have put into it. Text where it is no JSON object
 * (every event of theirs is one), or nests too deep to be searched: an answer with it could not be written.
 */
function bodyView(body: string): unknown {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return body;
    return withoutSecrets(parsed as Record<string, unknown>);
  } catch {
    return body;
  }
}
