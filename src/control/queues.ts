import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { within } from '../deadline.ts';
import { RotaError } from '../errors.ts';
import { excerpt, excerptInBytes, excerptInJson, oneLine } from '../printable.ts';
import type { DeadLetter, DeadLetters } from '../events/dead-letters.ts';
import type { DeadLetterView } from '../protocol/operator-status.ts';
import type { PauseView } from '../protocol/operator.ts';
import type { Pause, PauseKey, Pauses } from '../queue/maintenance/pauses.ts';
import type { Purged } from '../queue/settle/cancellation.ts';
import { textWithoutSecrets, withoutSecrets } from '../tasks/secrets.ts';
import { lengths, shortText } from '../tasks/limits.ts';
import { eventStreams } from '../tasks/task.ts';
import { aged, type CommandAudit, command, type SomeCommands } from './operator-command.ts';
import { recent } from './recent.ts';

export interface QueuePorts {
  readonly instance: string;
  readonly schedulerIds: readonly string[];
  readonly pauses: Pick<Pauses, 'pause' | 'resume' | 'list' | 'knows'>;
  readonly purge: (organisation: string, by: string) => Promise<Purged>;
  /** Ranks everything queued anew; `report` counts tasks looked at and moved. */
  readonly rerank: (scheduler: string, report: (looked: number, moved: number) => void) => Promise<void>;
  /** Null where no event source is configured. */
  readonly deadLetters: Pick<DeadLetters, 'list' | 'settle'> | null;
  readonly audit: CommandAudit;
}

/** Whole queues: pauses, an organisation's removal, a new ranking, and the broker's dead-letter queues. */
export function queueCommands(ports: QueuePorts) {
  return { ...pauseCommands(ports), ...rerankCommands(ports), ...deadLetterCommands(ports) };
}

const key = z.strictObject({
  scheduler: shortText(lengths.name).min(1),
  organisation: shortText(lengths.organisation).min(1).nullish(),
  boefje: shortText(lengths.name).min(1).nullish(),
});

/** Why, for people. */
export const note = z
  .string()
  .transform((text) => excerptInBytes(oneLine(textWithoutSecrets(text)).toWellFormed(), lengths.name))
  .nullish();

function pauseCommands({ pauses, schedulerIds, purge, audit }: QueuePorts) {
  const listed = recent(() => pauses.list());
  return {
    pauses: command('read', aged, async (body) => {
      return { results: (await listed((body?.max_age_seconds ?? 0) * 1_000)).map(pauseView) };
    }),

    // Clients repeat it until `complete`: a queue of a million takes longer than a request may.
    pause: command('operate', key.extend({ note }), async ({ note = null, ...body }, { by }) => {
      const of = keyOf(body);
      requireScheduler(schedulerIds, of.scheduler);
      const { moved, complete } = await pauses.pause(of, by, note);
      audit('pause', by, { ...of, tasks: moved, ...(note === null ? {} : { note }) });
      // A pause may be ahead of its organisation; more often its code is misspelt.
      const known = of.organisation === null || (await pauses.knows(of.organisation));
      return { held: moved, complete, known };
    }),

    resume: command('operate', key, async (body, { by }) => {
      const of = keyOf(body);
      const moved = await pauses.resume(of);
      if (moved === null) throw await notPaused(pauses);
      audit('resume', by, { ...of, tasks: moved.moved });
      return { released: moved.moved, complete: moved.complete };
    }),

    purge: command(
      'operate',
      z.strictObject({ organisation: shortText(lengths.organisation).min(1) }),
      async ({ organisation }, { by }) => {
        const purged = await purge(organisation, by === null ? 'an operator' : excerpt(oneLine(by)));
        audit('purge', by, { organisation, ...purged });
        return purged;
      },
    ),
  } satisfies SomeCommands;
}

/** @throws RotaError NOT_FOUND */
export function requireScheduler(schedulerIds: readonly string[], scheduler: string): void {
  if (schedulerIds.includes(scheduler)) return;
  throw new RotaError('NOT_FOUND', `no scheduler ${scheduler}; there are: ${schedulerIds.join(', ')}`);
}

function keyOf({ scheduler, organisation, boefje }: z.output<typeof key>): PauseKey {
  return { scheduler, organisation: organisation ?? null, plugin: boefje ?? null };
}

function pauseView({ scheduler, organisation, plugin, pausedBy, note, since }: Pause): PauseView {
  return { scheduler, organisation, boefje: plugin, paused_by: pausedBy, note, since };
}

async function notPaused(pauses: QueuePorts['pauses']): Promise<RotaError> {
  const texts = (await pauses.list()).map(({ scheduler, organisation, plugin }) =>
    [scheduler, organisation ?? 'every organisation', plugin ?? 'every boefje'].join(' / '),
  );
  return new RotaError('NOT_FOUND', `this is not paused; paused are: ${texts.join(', ') || 'none'}`);
}

interface RerankRun {
  readonly id: string;
  readonly scheduler: string;
  looked: number;
  moved: number;
  ended: boolean;
  readonly finished: Promise<void>;
}

/** Below the 10 s that a client waits. */
const rerankWithinMs = 5_000;
/** How long the end of a run is kept for the client that follows it. */
const endKeptMs = 60_000;

/**
 * `rerank`: begins a run, or joins the one under way at this supervisor. A client asks `instance` again with `run` until
 * `complete`: a request without it is a new one, which an ended run does not answer.
 */
function rerankCommands({ instance, schedulerIds, rerank, audit }: QueuePorts) {
  const runs = new Map<string, RerankRun>();

  const begin = (scheduler: string, by: string | null): RerankRun => {
    const run = { id: randomUUID(), scheduler, looked: 0, moved: 0, ended: false };
    const ranked = rerank(scheduler, (looked, moved) => {
      run.looked += looked;
      run.moved += moved;
    });
    const finished = ranked
      .then(() => audit('rerank', by, { scheduler, tasks: run.looked, moved: run.moved }))
      .finally(() => {
        run.ended = true;
        setTimeout(() => runs.delete(run.id), endKeptMs).unref();
      });
    // The client that follows the run gets the failure.
    finished.catch(() => {});
    const begun = Object.assign(run, { finished });
    runs.set(run.id, begun);
    return begun;
  };

  const followed = (id: string): RerankRun => {
    const run = runs.get(id);
    if (run === undefined) throw new RotaError('NOT_FOUND', `supervisor ${instance} has no rerank ${id}`);
    return run;
  };

  const underWay = (of: string) => runs.values().find(({ scheduler, ended }) => scheduler === of && !ended);

  return {
    rerank: command(
      'operate',
      z.strictObject({ scheduler: shortText(lengths.name), run: z.uuid().optional() }),
      async ({ scheduler, run: id }, { by }) => {
        requireScheduler(schedulerIds, scheduler);
        const run = id === undefined ? (underWay(scheduler) ?? begin(scheduler, by)) : followed(id);
        await within(run.finished, rerankWithinMs).catch((error: unknown) => {
          if (run.ended) throw error;
        });
        return { instance, run: run.id, looked: run.looked, moved: run.moved, complete: run.ended };
      },
    ),
  } satisfies SomeCommands;
}

const stream = z.enum(eventStreams);

/** Of each stream: what a screen that is looked at again and again shows. */
const fewLetters = 20;

/** Events that were given up: to look at, to try again, to remove. */
function deadLetterCommands({ deadLetters, audit }: QueuePorts) {
  const letters = () => {
    if (deadLetters !== null) return deadLetters;
    throw new RotaError('SERVICE_UNAVAILABLE', 'no event source is configured: neither QUEUE_URI nor jetstream');
  };
  const few = recent(() => letters().list(fewLetters));
  return {
    'dead-letters': command(
      'read',
      z.strictObject({
        limit: z.int().min(1).max(1_000).default(20),
        id: shortText(lengths.name).optional(),
        max_age_seconds: z.number().min(0).max(60).default(0),
      }),
      async ({ limit, id, max_age_seconds: seconds }) => {
        const isKept = seconds > 0 && limit === fewLetters;
        const found = await (isKept ? few(seconds * 1_000) : letters().list(limit));
        return { results: deadLetterViews(id === undefined ? found : found.filter((letter) => letter.id === id)) };
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
        const settled = await letters().settle(action, which);
        few.forget();
        audit(`${action}-dead-letters`, by, { events: settled.length });
        return { settled };
      },
    ),
  } satisfies SomeCommands;
}

/** In bytes, over all of one answer: it is one message of NATS, which carries 1 MB with the rest around it. */
const bodiesAtMost = 700_000;

/**
 * A body without room left is null, with `body_bytes` its length; a request for its `id` has room for it, or for the beginning of its
 * text where the event itself is nearly as large as a message of NATS.
 */
function deadLetterViews(letters: readonly DeadLetter[]): readonly DeadLetterView[] {
  let room = bodiesAtMost;
  return letters.map(({ body, ...letter }) => {
    const bytes = Buffer.byteLength(JSON.stringify(body));
    if (bytes <= room) {
      room -= bytes;
      return { ...letter, body: bodyView(body) };
    }
    const beginning = letters.length === 1 ? excerptInJson(JSON.stringify(bodyView(body)), bodiesAtMost) : null;
    return { ...letter, body: beginning, body_bytes: Buffer.byteLength(body) };
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
