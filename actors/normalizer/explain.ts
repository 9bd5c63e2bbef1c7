import type { Plugin } from '../../src/kat/kat.ts';
import { attempt } from '../../src/mailbox/failure.ts';
import { answerEach } from '../../src/mailbox/mailbox.ts';
import type { Explain, Explanation, ExplanationStep } from '../../src/protocol/commands.ts';
import type { LatestTask } from '../../src/protocol/requests.ts';
import type { Behavior, Setup } from '../../src/protocol/scheduler.ts';
import { normalizerHash, type RawFileQuestion, rawFileQuestion } from '../../src/tasks/data.ts';
import { type Recorder, type RefusalReason, unfinishedReason } from '../../src/tasks/refusal.ts';
import { consumersOf, deschedule, type RawFileFacts, decideRawFile } from './raw-files.ts';

/** Answers which normalizers would parse a raw file now, and why: the rules of raw-files.ts in their order. */
export function explaining(setup: Setup): Behavior<Explain>['explain'] {
  return answerEach(
    () => setup.now(),
    async ({ organisation, data }: Explain) => explanationOf(setup, organisation, rawFileQuestion.parse(data)),
  );
}

async function explanationOf(setup: Setup, organisation: string, asked: RawFileQuestion): Promise<Explanation> {
  const rawFile = { mimeTypes: asked.raw_data.mime_types.map(({ value }) => value), size: asked.size ?? null };
  const steps: ExplanationStep[] = rawFile.mimeTypes.includes(deschedule) ? [descheduled] : [];
  const record: Recorder = (rule, reason, fact, open) =>
    void steps.push({ rule, outcome: open ?? (reason === null ? 'passes' : 'refuses'), reason, fact });
  decideRawFile(rawFile, record);
  if (steps.some(({ outcome }) => outcome === 'refuses')) return { steps, nextRunAt: null };
  const consumers = await explainConsumers(setup, organisation, asked, rawFile, record);
  const [one] = consumers;
  if (asked.normalizer === undefined || one === undefined) return { steps, nextRunAt: null };
  const normalizer = { id: one.id, name: one.name, version: one.version };
  return { steps, nextRunAt: null, data: { normalizer, raw_data: asked.raw_data } };
}

/** Not a reason of the list: it is what the boefje asked for, and is not counted as a refusal. */
const descheduled: ExplanationStep = {
  rule: 'deschedule',
  outcome: 'refuses',
  reason: null,
  fact: `${deschedule}: its boefje's schedule is deleted, and nothing parses it`,
};

async function explainConsumers(
  setup: Setup,
  organisation: string,
  asked: RawFileQuestion,
  { mimeTypes }: RawFileFacts,
  record: Recorder,
): Promise<readonly Plugin[]> {
  const answer = await attempt(setup.kat.katalogus.plugins(organisation, { fresh: true }));
  if (!answer.ok || answer.value === null) {
    if (!answer.ok) record('organisation', null, answer.failure.message, 'unanswered');
    else record('organisation', 'organisation-gone', `Katalogus does not know organisation ${organisation}`);
    return [];
  }
  record('organisation', null, `Katalogus knows organisation ${organisation}`);

  const { normalizer, raw_data: rawData } = asked;
  const consumers = consumersOf(answer.value, mimeTypes).filter(
    ({ id }) => normalizer === undefined || id === normalizer.id,
  );
  if (consumers.length === 0) {
    const who = normalizer === undefined ? 'no normalizer' : `no normalizer ${normalizer.id}`;
    record('input', 'not-consumed', `${who} consumes ${mimeTypes.join(' or ')} in ${organisation}`);
    return [];
  }
  record('input', null, `consumed by ${consumers.map(({ id }) => id).join(', ')}`);

  const { id: boefjeMetaId, organization } = rawData.boefje_meta;
  const hashes = consumers.map(({ id }) =>
    normalizerHash({ normalizerId: id, boefjeMetaId, organisation: organization }),
  );
  const latest = new Map((await setup.supervisor('latest-tasks', { hashes })).map((task) => [task.hash, task]));
  const judged = consumers.map((plugin, at): Judged => {
    const task = latest.get(hashes[at]!);
    return plugin.enabled
      ? { fact: `${plugin.id}: ${factOf(task)}`, reason: unfinishedReason(task?.status) }
      : { fact: `${plugin.id}: disabled in this organisation`, reason: 'normalizer-disabled' };
  });
  together(judged, record);
  return consumers;
}

interface Judged {
  readonly fact: string;
  readonly reason: RefusalReason | null;
}

/** One task for each normalizer that may: it is refused where none of them may, for the first one's reason. */
function together(judged: readonly Judged[], record: Recorder): void {
  const enabled = judged.filter(({ reason }) => reason !== 'normalizer-disabled');
  if (enabled.length === 0) return record('enabled', 'normalizer-disabled', factsOf(judged));
  const free = enabled.some(({ reason }) => reason === null);
  record('enabled', null, `${enabled.length} of ${judged.length}`);
  record('latest task', free ? null : enabled[0]!.reason, factsOf(judged));
}

function factsOf(judged: readonly Judged[]): string {
  return judged.map(({ fact }) => fact).join('; ');
}

function factOf(task: LatestTask | undefined): string {
  if (task === undefined) return 'there is no task yet';
  return `task ${task.id} is ${task.status} since ${new Date(task.modifiedAt).toISOString()}`;
}
