import { attempt } from '../../src/mailbox/failure.ts';
import { answerEach } from '../../src/mailbox/mailbox.ts';
import type { Explain, Explanation, ExplanationStep } from '../../src/protocol/commands.ts';
import type { Behavior, Setup } from '../../src/protocol/scheduler.ts';
import { type BoefjeData, boefjeData } from '../../src/tasks/data.ts';
import type { Recorder } from '../../src/tasks/refusal.ts';
import { type Candidate, candidateOf, dataOf, hashOf } from './candidate.ts';
import { withSiblings } from './deduplication.ts';
import { decideTask, type History, historiesOf } from './history.ts';
import { decideBoefje, decideOoi, decideOperations, pluginIn, runsOnEventsOnly, skipOoi } from './permission.ts';
import { decideRecurrence, isByRecurrence, paceOf, recurrenceOf, unscheduled } from './recurrence.ts';
import { pluginsOf } from './services.ts';

/** Answers what this scheduler would decide now, and why. */
export function explaining(setup: Setup): Behavior<Explain>['explain'] {
  // A dry run is not counted.
  const dry: Setup = { ...setup, refuse: () => {} };
  return answerEach(
    () => setup.now(),
    async (asked: Explain) => explanationOf(dry, asked, boefjeData.parse(asked.data)),
  );
}

/** An event about an OOI that is there already is an update. */
const nextEvent: ReadonlySet<'update'> = new Set(['update']);

/** The decisions that mutations.ts (an event) or rescheduling.ts (a schedule) make, in their order, with a recorder. */
async function explanationOf(setup: Setup, asked: Explain, data: BoefjeData): Promise<Explanation> {
  const { organisation, schedule, trigger } = asked;
  const ooi = data.input_ooi || null;
  const steps: ExplanationStep[] = [];
  const record: Recorder = (rule, reason, fact, open) =>
    void steps.push({ rule, outcome: open ?? (reason === null ? 'passes' : 'refuses'), reason, fact });

  if (trigger === 'schedule' && schedule !== null) {
    const why = schedule.disabledReason == null ? 'disabled' : `disabled: ${schedule.disabledReason}`;
    record('schedule', schedule.enabled ? null : 'schedule-disabled', schedule.enabled ? 'enabled' : why);
  }
  const answer = (await pluginsOf(setup, [organisation], { fresh: true })).get(organisation)!;
  if (!answer.ok) record('boefje', null, answer.failure.message, 'unanswered');
  const found = answer.ok ? pluginIn(answer.value, data.boefje.id, organisation, record) : null;
  const plugin = typeof found === 'string' ? null : found;
  decideBoefje(plugin, trigger, record);

  const known = { ...unscheduled(ooi), ...schedule };
  const recurrence = plugin === null ? null : recurrenceOf(plugin, known, setup);
  if (trigger === 'schedule' && recurrence !== null) decideRecurrence(recurrence, trigger, record);
  if (ooi === null) record('ooi', null, 'it runs without an OOI');
  else {
    const oois = await attempt(setup.kat.octopoes.objectsByReference(organisation, [ooi]));
    if (oois.ok) decideOoi(plugin, ooi, oois.value, record);
    else {
      record('ooi', null, oois.failure.message, 'unanswered');
      skipOoi(record);
    }
  }
  if (trigger === 'event') {
    decideOperations(plugin, nextEvent, record);
    if (recurrence !== null) decideRecurrence(recurrence, trigger, record);
  }
  if (plugin === null || recurrence === null) {
    // Without the boefje only its latest task can be decided on.
    if (!answer.ok) await explainTask(setup, organisation, data, record);
    return { steps, nextRunAt: null };
  }

  const byTime = trigger === 'schedule' ? { pace: paceOf(plugin, known, setup.settings) } : {};
  const byRecurrence = trigger === 'schedule' && isByRecurrence(plugin, known);
  const candidate = candidateOf({ organisation, plugin, ooi, recurrence, byRecurrence, ...byTime, trace: null });
  const [history] = await historiesOf(setup, [candidate], record);
  if (steps.every(({ outcome }) => outcome === 'passes')) await explainSharing(setup, candidate, history!, record);
  const nextRunAt = runsOnEventsOnly(plugin) ? null : recurrence.deadlineAt;
  return { steps, nextRunAt, data: dataOf(candidate) };
}

async function explainTask(setup: Setup, organisation: string, data: BoefjeData, record: Recorder): Promise<void> {
  const hash = hashOf({ organisation, plugin: data.boefje, ooi: data.input_ooi });
  const [task] = await setup.supervisor('latest-tasks', { hashes: [hash] });
  decideTask(task, { graceMs: 0, now: setup.now() }, null, record);
}

async function explainSharing(setup: Setup, candidate: Candidate, history: History, record: Recorder): Promise<void> {
  const lastRunAt = history.state === 'free' ? history.lastRunAt : null;
  const runs = await withSiblings(setup, [{ candidate, lastRunAt, follows: null, deduplicationKey: null }]);
  const others = runs.map((run) => run.candidate.organisation).filter((it) => it !== candidate.organisation);
  record('shared scan', null, others.length === 0 ? 'no other organisation shares it' : `with ${others.join(', ')}`);
}
