import { attempt, type Failure } from '../../src/mailbox/failure.ts';
import type { Delivery } from '../../src/mailbox/message.ts';
import type { Plugin } from '../../src/kat/kat.ts';
import type { RawFileReceived } from '../../src/protocol/events.ts';
import type { NewTask } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { boefjeHash, normalizerHash } from '../../src/tasks/data.ts';
import { type Recorder, type RefusalReason, unfinishedReason } from '../../src/tasks/refusal.ts';

type RawFile = Delivery<RawFileReceived>;

/** Queues the normalizers of a batch of raw files: Katalogus once per organisation, one push. */
export async function handleRawFiles(setup: Setup, batch: readonly RawFile[]): Promise<void> {
  const declining = batch.filter((delivery) => mimeTypesOf(delivery).includes(deschedule));
  await deleteSchedules(setup, declining);
  const parsable = batch.filter((delivery) => {
    if (mimeTypesOf(delivery).includes(deschedule)) return false;
    const reason = decideRawFile({ mimeTypes: mimeTypesOf(delivery), size: delivery.message.size }, null);
    if (reason !== null) setup.refuse(reason, aboutOf(delivery));
    return reason === null;
  });
  const runs = await runsOf(setup, parsable);
  await push(setup, await withoutUnfinished(setup, runs));
}

function mimeTypesOf({ message }: RawFile): readonly string[] {
  return message.rawData.mime_types.map((mimeType) => mimeType.value);
}

function aboutOf({ message }: RawFile, normalizer: string | null = null): Record<string, string | null> {
  return { organisation: message.organisation, rawFile: message.rawData.id, normalizer };
}

async function deleteSchedules(setup: Setup, deliveries: readonly RawFile[]): Promise<void> {
  if (deliveries.length === 0) return;
  const hashes = deliveries.map(({ message }) => {
    const { boefje, input_ooi: inputOoi, organization: organisation } = message.rawData.boefje_meta;
    return boefjeHash({ boefjeId: boefje.id, inputOoi, organisation });
  });
  await setup.supervisor('delete-schedules', { hashes: [...new Set(hashes)] });
}

/** A normalizer that consumes a raw file. */
interface NormalizerRun {
  readonly delivery: RawFile;
  readonly normalizer: Plugin;
  readonly hash: string;
}

async function runsOf(setup: Setup, deliveries: readonly RawFile[]): Promise<readonly NormalizerRun[]> {
  const byOrganisation = Map.groupBy(deliveries, (delivery) => delivery.message.organisation);
  const answers = await Promise.all(
    [...byOrganisation].map(async ([organisation, those]) => {
      const answer = await attempt(setup.kat.katalogus.plugins(organisation));
      return those.flatMap((delivery) => {
        if (answer.ok) return enabledRunsOf(setup, delivery, answer.value);
        delivery.fail(answer.failure);
        return [];
      });
    }),
  );
  return answers.flat();
}

/** Each enabled normalizer once, however many of the raw file's mime types it consumes. */
function enabledRunsOf(
  setup: Setup,
  delivery: RawFile,
  plugins: ReadonlyMap<string, Plugin> | null,
): readonly NormalizerRun[] {
  if (plugins === null) {
    setup.refuse('organisation-gone', aboutOf(delivery));
    return [];
  }
  const consumers = consumersOf(plugins, mimeTypesOf(delivery));
  if (consumers.length === 0) setup.refuse('not-consumed', aboutOf(delivery));
  const meta = delivery.message.rawData.boefje_meta;
  return consumers.flatMap((normalizer) => {
    if (normalizer.enabled) {
      const run = { normalizerId: normalizer.id, boefjeMetaId: meta.id, organisation: meta.organization };
      return { delivery, normalizer, hash: normalizerHash(run) };
    }
    setup.refuse('normalizer-disabled', aboutOf(delivery, normalizer.id));
    return [];
  });
}

async function withoutUnfinished(setup: Setup, runs: readonly NormalizerRun[]): Promise<readonly NormalizerRun[]> {
  if (runs.length === 0) return runs;
  const tasks = await setup.supervisor('latest-tasks', { hashes: [...new Set(runs.map((run) => run.hash))] });
  const latest = new Map(tasks.map((task) => [task.hash, task]));
  const taken = new Set<string>();
  return runs.filter((run) => {
    // Events come at least once. A finished task is parsed again, as in mula: the hash names the boefje's run, which may
    // store several raw files, and parsing twice is harmless while leaving one out is not.
    const reason = unfinishedReason(latest.get(run.hash)?.status) ?? (taken.has(run.hash) ? 'already-queued' : null);
    taken.add(run.hash);
    if (reason !== null) setup.refuse(reason, aboutOf(run.delivery, run.normalizer.id));
    return reason === null;
  });
}

async function push(setup: Setup, runs: readonly NormalizerRun[]): Promise<void> {
  if (runs.length === 0) return;
  const outcomes = await setup.supervisor('push-tasks', { tasks: runs.map(taskOf) });
  const failed = new Map<RawFile, Failure>();
  for (const [at, { delivery }] of runs.entries()) {
    const outcome = outcomes[at]!;
    if (outcome.outcome === 'queued') continue;
    if (outcome.outcome === 'failed') failed.set(delivery, outcome.failure);
    else if (outcome.reason === 'queue-full') failed.set(delivery, retryable('QUEUE_FULL', 'the queue is full'));
    else if (outcome.reason === 'rank-failed')
      failed.set(delivery, retryable('RANK_FAILED', outcome.detail ?? 'the ranker failed'));
  }
  for (const [delivery, failure] of failed) delivery.fail(failure);
}

/** The event is tried again: neither a full queue nor a broken ranker says anything about the raw file. */
function retryable(code: string, message: string): Failure {
  return { code, message, retryable: true };
}

function taskOf({ delivery: { message, trace }, normalizer, hash }: NormalizerRun): NewTask {
  return {
    organisation: message.organisation,
    data: {
      normalizer: { id: normalizer.id, name: normalizer.name, version: normalizer.version },
      raw_data: message.rawData,
    },
    checked: true,
    hash,
    recurrence: 'none',
    occurredAt: message.createdAt,
    trace,
  };
}

/** What Bytes says about a raw file; `size` null where it does not say. */
export interface RawFileFacts {
  readonly mimeTypes: readonly string[];
  readonly size: number | null;
}

/** One thing that must hold of a raw file; `fact` is what it decides by, for `rota explain`. */
interface RawFileRule {
  readonly rule: string;
  readonly reason: RefusalReason;
  readonly refuses: (rawFile: RawFileFacts) => boolean;
  readonly fact: (rawFile: RawFileFacts) => string;
}

const rawFileRules: readonly RawFileRule[] = [
  {
    rule: 'mime types',
    reason: 'no-mime-type',
    refuses: ({ mimeTypes }) => mimeTypes.length === 0,
    fact: ({ mimeTypes }) => mimeTypes.join(', ') || 'it has none',
  },
  {
    rule: 'boefje run',
    reason: 'error-mime-type',
    refuses: ({ mimeTypes }) => mimeTypes.some((mimeType) => mimeType.startsWith('error/')),
    fact: ({ mimeTypes }) => mimeTypes.find((mimeType) => mimeType.startsWith('error/')) ?? 'it did not fail',
  },
  {
    rule: 'content',
    reason: 'empty-raw-file',
    refuses: ({ size }) => size === 0,
    fact: ({ size }) => (size === null ? 'nothing tells its size' : `${size} bytes`),
  },
];

/** Why no normalizer parses a raw file; null where the normalizers decide. */
export function decideRawFile(rawFile: RawFileFacts, record: Recorder | null): RefusalReason | null {
  let refusal: RefusalReason | null = null;
  for (const { rule, reason, refuses, fact } of rawFileRules) {
    const refused = refuses(rawFile);
    record?.(rule, refused ? reason : null, fact(rawFile));
    if (refused) refusal ??= reason;
    if (refusal !== null && record === null) return refusal;
  }
  return refusal;
}

/** A boefje says with this mime type that it need not run on this OOI again (#5007). */
export const deschedule = 'openkat/deschedule';

/** Normalizers of an organisation that consume one of the mime types, disabled ones too. */
export function consumersOf(plugins: ReadonlyMap<string, Plugin>, mimeTypes: readonly string[]): readonly Plugin[] {
  const wanted = new Set(mimeTypes);
  return [...plugins.values()].filter(
    (plugin) => plugin.type === 'normalizer' && plugin.consumes.some((mimeType) => wanted.has(mimeType)),
  );
}
