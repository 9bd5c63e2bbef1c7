import { attempt } from '../../src/mailbox/failure.ts';
import { answerEach } from '../../src/mailbox/mailbox.ts';
import type { Explain, Explanation, ExplanationStep } from '../../src/protocol/commands.ts';
import type { Behavior, Setup } from '../../src/protocol/scheduler.ts';
import { reportData, reportHash } from '../../src/tasks/data.ts';
import { type Recorder, unfinishedReason } from '../../src/tasks/refusal.ts';
import { deadlineOf, decideCron } from './rescheduling.ts';

/** Answers what this scheduler would decide now about a report, and why. */
export function explaining(setup: Setup): Behavior<Explain>['explain'] {
  return answerEach(
    () => setup.now(),
    (asked: Explain) => explanationOf(setup, asked),
  );
}

/** The decisions of rescheduling.ts in their order, with a recorder. */
async function explanationOf(setup: Setup, { organisation, data, schedule }: Explain): Promise<Explanation> {
  const report = reportData.parse(data);
  const steps: ExplanationStep[] = [];
  const record: Recorder = (rule, reason, fact) =>
    void steps.push({ rule, outcome: reason === null ? 'passes' : 'refuses', reason, fact });

  if (schedule === null) record('schedule', null, 'it has none: a report runs on request');
  else {
    record('schedule', schedule.enabled ? null : 'schedule-disabled', schedule.enabled ? 'enabled' : 'disabled');
    decideCron(schedule, record);
  }
  await explainOrganisation(setup, organisation, record);
  const hash = reportHash({ recipeId: report.report_recipe_id, organisation: report.organisation_id });
  const [latest] = await setup.supervisor('latest-tasks', { hashes: [hash] });
  const fact = latest === undefined ? 'there is no task yet' : `task ${latest.id} is ${latest.status}`;
  record('latest task', unfinishedReason(latest?.status), fact);
  return { steps, nextRunAt: schedule === null ? null : deadlineOf(setup, schedule), data: report };
}

async function explainOrganisation({ kat }: Setup, organisation: string, record: Recorder): Promise<void> {
  const rule = 'organisation';
  const answer = await attempt(kat.katalogus.knows(organisation, { fresh: true }));
  if (!answer.ok) record(rule, null, `a report does not wait for Katalogus: ${answer.failure.message}`);
  else if (answer.value) record(rule, null, `Katalogus knows organisation ${organisation}`);
  else record(rule, 'organisation-gone', `Katalogus does not know organisation ${organisation}`);
}
