import type { Ooi, Plugin } from '../../src/kat/kat.ts';
import { attempt, type Failure, failureOf } from '../../src/mailbox/failure.ts';
import type { Delivery } from '../../src/mailbox/message.ts';
import type { Explain } from '../../src/protocol/commands.ts';
import type { Explanation, ExplanationStep } from '../../src/protocol/explanation.ts';
import type { DueSchedule, LatestTask, Recurrence } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { cronFault } from '../../src/tasks/cron.ts';
import { type BoefjeData, boefjeData } from '../../src/tasks/data.ts';
import { boefjeHash } from '../../src/tasks/identity.ts';
import type { RefusalReason } from '../../src/tasks/refusal.ts';
import { type Candidate, candidateOf, graceMsOf } from './candidate.ts';
import { withSiblings } from './deduplication.ts';
import { type Judgement, judgeRun, judgeTask } from './history.ts';
import { boefjeRules, isRunOn, ooiRules, type PermissionRule, runsOnAny, runsOnEventsOnly } from './permission.ts';
import { pluginsOf } from './services.ts';
import { isByRecurrence, iso, recurrenceOf, unscheduled } from './recurrence.ts';

/** Answers what this scheduler would decide now, and why. Never ends the actor: it only reads, and whoever asks hears of failures. */
export async function explain(setup: Setup, batch: readonly Delivery<Explain>[]): Promise<void> {
  // A dry run is not counted.
  const dry: Setup = { ...setup, refuse: () => {} };
  for (const delivery of batch) {
    try {
      const data = boefjeData.parse(delivery.message.data);
      delivery.done(await explanationOf(dry, delivery.message, data));
    } catch (error) {
      delivery.fail({ ...failureOf(error), retryable: false });
    }
  }
}

/** The rules of mutations.ts (an event) or rescheduling.ts (a schedule), in their order. */
async function explanationOf(setup: Setup, asked: Explain, data: BoefjeData): Promise<Explanation> {
  const { organisation, schedule, trigger } = asked;
  const known = { ...unscheduled(data.input_ooi || null), ...schedule };
  const plugin = await pluginStep(setup, organisation, data.boefje.id);
  const ooi = await ooiStep(setup, organisation, data.input_ooi || null);
  const runOn = plugin.found === null ? [] : [runOnStep(plugin.found, trigger)];
  const permission = [
    ...rulesOf(boefjeRules, plugin.found && [plugin.found]),
    ...(trigger === 'schedule' ? runOn : []),
    ooi.step,
    ...(data.input_ooi ? rulesOf(ooiRules, plugin.found && ooi.found && [plugin.found, ooi.found]) : []),
    ...(trigger === 'event' ? runOn : []),
  ];
  const scheduleSteps = trigger === 'event' || schedule === null ? [] : [scheduleStep(schedule)];
  const before = [...scheduleSteps, plugin.step, ...permission];
  if (plugin.found === null) {
    const known = plugin.step.outcome === 'unanswered' ? [await unfinishedStep(setup, organisation, data)] : [];
    return { steps: [...before, ...known], nextRunAt: null };
  }

  const recurrence = recurrenceOf(plugin.found, known, setup);
  const candidate = candidateOf({
    organisation,
    plugin: plugin.found,
    ooi: data.input_ooi || null,
    recurrence,
    byRecurrence: trigger === 'schedule' && isByRecurrence(plugin.found, known),
    trace: null,
  });
  if (recurrence.disabled !== undefined) before.push(cronStep(recurrence, trigger));
  const { steps, history } = await historySteps(setup, candidate);
  const allPass = [...before, ...steps].every(({ outcome }) => outcome === 'passes');
  const shared = allPass ? [await sharingStep(setup, candidate, history)] : [];
  return {
    steps: [...before, ...steps, ...shared],
    nextRunAt: runsOnEventsOnly(plugin.found) ? null : recurrence.deadlineAt,
  };
}

function scheduleStep({ enabled, disabledReason }: DueSchedule): ExplanationStep {
  if (enabled) return step('schedule', null, 'enabled');
  return step('schedule', 'schedule-disabled', disabledReason == null ? 'disabled' : `disabled: ${disabledReason}`);
}

/** An event runs it; its schedule does not. */
function cronStep({ schedule, inherited, disabled }: Recurrence, trigger: Explain['trigger']): ExplanationStep {
  const whose = inherited === true ? "the boefje's cron" : "the schedule's cron";
  const fact = `${whose}, ${schedule}, cannot run: ${cronFault(schedule!)}`;
  return step('recurrence', trigger === 'schedule' ? disabled! : null, fact);
}

interface Found<T> {
  readonly step: ExplanationStep;
  readonly found: T | null;
}

async function pluginStep(setup: Setup, organisation: string, id: string): Promise<Found<Plugin>> {
  const answer = (await pluginsOf(setup, [organisation], { fresh: true })).get(organisation)!;
  const rule = 'boefje';
  if (!answer.ok) return { step: unanswered(rule, answer.failure), found: null };
  if (answer.value === null) {
    return {
      step: step(rule, 'organisation-gone', `Katalogus does not know organisation ${organisation}`),
      found: null,
    };
  }
  const plugin = answer.value.get(id);
  if (plugin !== undefined)
    return { step: step(rule, null, `Katalogus knows ${id} in ${organisation}`), found: plugin };
  return { step: step(rule, 'boefje-gone', `Katalogus does not know ${id} in ${organisation}`), found: null };
}

async function ooiStep(setup: Setup, organisation: string, reference: string | null): Promise<Found<Ooi>> {
  const rule = 'ooi';
  if (reference === null) return { step: step(rule, null, 'it runs without an OOI'), found: null };
  const answer = await attempt(setup.kat.octopoes.objectsByReference(organisation, [reference]));
  if (!answer.ok) return { step: unanswered(rule, answer.failure), found: null };
  const ooi = answer.value.get(reference);
  if (ooi === undefined) return { step: step(rule, 'ooi-gone', `Octopoes does not know ${reference}`), found: null };
  return { step: step(rule, null, `Octopoes knows ${reference}`), found: ooi };
}

/** `about` is null where an earlier step found nothing. */
function rulesOf<About extends readonly unknown[]>(
  rules: readonly PermissionRule<About>[],
  about: About | null,
): readonly ExplanationStep[] {
  return rules.map(({ rule, reason, refuses, fact }) =>
    about === null ? skipped(rule) : step(rule, refuses(...about) ? reason : null, fact(...about)),
  );
}

/** An event about an OOI that is there already is an update. */
function runOnStep(plugin: Plugin, trigger: Explain['trigger']): ExplanationStep {
  const rule = 'run on';
  if (!isRunOn(plugin)) return step(rule, null, 'it runs by time, not on operations');
  const fact = `it runs on ${plugin.runOn!.join(' and ')} of an OOI`;
  if (trigger === 'schedule') {
    return runsOnEventsOnly(plugin)
      ? step(rule, 'no-run-on', `${fact}, not by schedule`)
      : step(rule, null, `${fact}, and by time`);
  }
  return step(
    rule,
    runsOnAny(plugin, new Set(['update'])) ? null : 'no-run-on',
    `${fact}; the next event is an update`,
  );
}

/** Our own table first; Bytes is asked where that does not tell, as in history.ts. */
async function historySteps(
  setup: Setup,
  candidate: Candidate,
): Promise<{ readonly steps: readonly ExplanationStep[]; readonly history: Judgement }> {
  const [task] = await setup.supervisor('latest-tasks', { hashes: [candidate.hash] });
  const graceMs = graceMsOf(candidate, setup.settings);
  const decided = task === undefined ? null : judgeTask(task, graceMs, setup.now());
  if (decided !== null) {
    return {
      steps: [historyStep('latest task', decided, factOf(task)), skipped('last run', 'the latest task tells')],
      history: decided,
    };
  }
  const { organisation, plugin, ooi } = candidate;
  const run = await attempt(setup.kat.bytes.lastRun({ organisation, boefje: plugin.id, inputOoi: ooi }));
  const history: Judgement = run.ok
    ? judgeRun(run.value, graceMs, setup.now())
    : { state: 'unanswered', failure: run.failure };
  const known =
    run.ok && run.value !== null ? (run.value.endedAt === null ? 'goes on' : `ended ${iso(run.value.endedAt)}`) : null;
  const fact = known === null ? 'Bytes knows of no run' : `the last run that Bytes knows ${known}`;
  return { steps: [step('latest task', null, factOf(task)), historyStep('last run', history, fact)], history };
}

/** What can be told without the boefje: whether its latest task goes on. */
async function unfinishedStep(setup: Setup, organisation: string, data: BoefjeData): Promise<ExplanationStep> {
  const hash = boefjeHash({ boefjeId: data.boefje.id, inputOoi: data.input_ooi, organisation });
  const [task] = await setup.supervisor('latest-tasks', { hashes: [hash] });
  const history = task === undefined ? null : judgeTask(task, 0, setup.now());
  return historyStep('latest task', history ?? { state: 'free', lastRunAt: null }, factOf(task));
}

function factOf(task: LatestTask | undefined): string {
  if (task === undefined) return 'there is no task yet';
  return `task ${task.id} is ${task.status} since ${iso(task.modifiedAt)}`;
}

function historyStep(rule: string, history: Judgement, fact: string): ExplanationStep {
  if (history.state === 'unanswered') return unanswered(rule, history.failure);
  if (history.state === 'free') return step(rule, null, fact);
  const until = history.reason === 'grace-period' ? `; the grace period ends ${iso(history.until)}` : '';
  return step(rule, history.reason, `${fact}${until}`);
}

async function sharingStep(setup: Setup, candidate: Candidate, history: Judgement): Promise<ExplanationStep> {
  const lastRunAt = history.state === 'free' ? history.lastRunAt : null;
  const runs = await withSiblings(setup, [{ candidate, lastRunAt, follows: null, deduplicationKey: null }]);
  const others = runs.map((run) => run.candidate.organisation).filter((it) => it !== candidate.organisation);
  return step(
    'shared scan',
    null,
    others.length === 0 ? 'no other organisation shares it' : `with ${others.join(', ')}`,
  );
}

function step(rule: string, reason: RefusalReason | null, fact: string): ExplanationStep {
  return { rule, outcome: reason === null ? 'passes' : 'refuses', reason, fact };
}

function unanswered(rule: string, { message }: Failure): ExplanationStep {
  return { rule, outcome: 'unanswered', reason: null, fact: message };
}

function skipped(rule: string, fact = 'nothing to ask about'): ExplanationStep {
  return { rule, outcome: 'skipped', reason: null, fact };
}
