import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { within } from '../deadline.ts';
import { codeOf, RotaError } from '../errors.ts';
import { excerpt, excerptInBytes, oneLine } from '../printable.ts';
import type { RankedPreview } from '../protocol/operator-organisations.ts';
import type { PauseView } from '../protocol/operator.ts';
import type { RankerChoice } from '../queue/push/rank.ts';
import type { Pause, PauseKey, Pauses } from '../queue/maintenance/pauses.ts';
import type { Purged } from '../queue/settle/cancellation.ts';
import { textWithoutSecrets } from '../tasks/secrets.ts';
import { lengths } from '../tasks/limits.ts';
import { deadLetterCommands, type DeadLetterPorts } from './dead-letters.ts';
import { aged, type CommandAudit, command, type SomeCommands } from './operator-command.ts';
import { listedText } from './paging.ts';
import { recent } from './recent.ts';

export interface QueuePorts extends DeadLetterPorts {
  readonly instance: string;
  readonly schedulerIds: readonly string[];
  readonly pauses: Pick<Pauses, 'pause' | 'resume' | 'list' | 'knows'>;
  readonly purge: (organisation: string, by: string) => Promise<Purged>;
  /** Ranks everything queued anew; `report` counts tasks looked at and moved. */
  readonly rerank: (scheduler: string, report: (looked: number, moved: number) => void) => Promise<void>;
  readonly rankers: Pick<RankerChoice, 'names' | 'ownOf'>;
  /** Ranks the first of the queue by another ranker, and writes nothing. */
  readonly previewRerank: (scheduler: string, ranker: string) => Promise<RankedPreview>;
  readonly audit: CommandAudit;
}

/** Whole queues: pauses, an organisation's removal, a new ranking, and the broker's dead-letter queues. */
export function queueCommands(ports: QueuePorts) {
  return { ...pauseCommands(ports), ...rerankCommands(ports), ...deadLetterCommands(ports) };
}

const key = z.strictObject({
  scheduler: listedText(lengths.name).min(1),
  organisation: listedText(lengths.organisation).min(1).nullish(),
  boefje: listedText(lengths.name).min(1).nullish(),
});

/** Why, for people. */
export const note = z
  .string()
  .transform((text) => excerptInBytes(oneLine(textWithoutSecrets(text)).toWellFormed(), lengths.name))
  .nullish();

export function pauseCommands({
  pauses,
  schedulerIds,
  purge,
  audit,
}: Pick<QueuePorts, 'pauses' | 'schedulerIds' | 'purge' | 'audit'>) {
  const listed = recent(() => pauses.list());
  return {
    pauses: command('read', aged, async (body) => {
      return { results: (await listed(body.max_age_seconds * 1_000)).map(pauseView) };
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
      z.strictObject({ organisation: listedText(lengths.organisation).min(1) }),
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
/** A ranker that hangs is ended after 5 s. */
const previewWithinMs = 8_000;
const toldOrganisations = 100;
/** How long the end of a run is kept for the client that follows it. */
const endKeptMs = 60_000;

/**
 * `rerank`: begins a run, or joins the one under way at this supervisor. A client asks `instance` again with `run` until
 * `complete`: a request without it is a new one, which an ended run does not answer.
 */
function rerankCommands({ instance, schedulerIds, rankers, rerank, previewRerank, audit }: QueuePorts) {
  const runs = new Map<string, RerankRun>();
  let previewing = false;

  const begin = (scheduler: string, by: string | null): RerankRun => {
    const run = { id: randomUUID(), scheduler, looked: 0, moved: 0, ended: false };
    // At once: a run of minutes may end with its supervisor.
    const about = { scheduler, run: run.id };
    audit('rerank', by, about);
    const ranked = rerank(scheduler, (looked, moved) => {
      run.looked += looked;
      run.moved += moved;
    });
    const finished = ranked
      .then(
        () => audit('rerank', by, { ...about, tasks: run.looked, moved: run.moved }),
        (error: unknown) => {
          audit('rerank', by, { ...about, tasks: run.looked, moved: run.moved }, codeOf(error));
          throw error;
        },
      )
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
      z.strictObject({ scheduler: listedText(lengths.name), run: z.uuid().optional() }),
      async ({ scheduler, run: id }, { by }) => {
        requireScheduler(schedulerIds, scheduler);
        const run = id === undefined ? (underWay(scheduler) ?? begin(scheduler, by)) : followed(id);
        await within(run.finished, rerankWithinMs).catch((error: unknown) => {
          if (run.ended) throw error;
        });
        return { instance, run: run.id, looked: run.looked, moved: run.moved, complete: run.ended };
      },
    ),

    // It changes nothing, but takes a thread of the ranking pool from pushes: for operators, and one at a time.
    'preview-rerank': command(
      'operate',
      z.strictObject({ scheduler: listedText(lengths.name), ranker: listedText(lengths.name).min(1).optional() }),
      async ({ scheduler, ranker: wanted }) => {
        requireScheduler(schedulerIds, scheduler);
        const [own, names] = [rankers.ownOf(scheduler), rankers.names()];
        const ranker = wanted ?? own;
        if (!names.includes(ranker))
          throw new RotaError('INVALID_REQUEST', `ranker: there is no ${ranker}; there are: ${names.join(', ')}`);
        if (previewing) throw new RotaError('TOO_MANY_REQUESTS', 'a preview is being made already: ask again');
        previewing = true;
        const preview = previewRerank(scheduler, ranker).finally(() => (previewing = false));
        const { organisations, ...rest } = await within(preview, previewWithinMs, 'ASK_TIMEOUT');
        const told = organisations.slice(0, toldOrganisations);
        const others = organisations.length - told.length;
        return { scheduler, ranker, own, rankers: names, ...rest, organisations: told, others };
      },
    ),
  } satisfies SomeCommands;
}
