import type { Delivery } from '../../src/mailbox/message.ts';
import { attempt, failureOf } from '../../src/mailbox/failure.ts';
import type { Explain } from '../../src/protocol/commands.ts';
import type { Explanation, ExplanationStep } from '../../src/protocol/explanation.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { cronFault } from '../../src/tasks/cron.ts';
import { reportData } from '../../src/tasks/data.ts';
import { reportHash } from '../../src/tasks/identity.ts';
import { type RefusalReason, unfinishedReason } from '../../src/tasks/refusal.ts';
import { deadlineOf, isUnreadable } from './rescheduling.ts';

/** Answers what this scheduler would decide now about a report, and why. Only reads. */
export async function explain(setup: Setup, batch: readonly Delivery<Explain>[]): Promise<void> {
  for (const delivery of batch) {
    try {
      delivery.done(await explanationOf(setup, delivery.message));
    } catch (error) {
      delivery.fail({ ...failureOf(error), retryable: false });
    }
  }
}

async function explanationOf(setup: Setup, { organisation, data, schedule }: Explain): Promise<Explanation> {
  const report = reportData.parse(data);
  const hash = reportHash({ recipeId: report.report_recipe_id, organisation: report.organisation_id });
  const [latest] = await setup.supervisor('latest-tasks', { hashes: [hash] });
  const fact = latest === undefined ? 'there is no task yet' : `task ${latest.id} is ${latest.status}`;
  const enabled =
    schedule === null
      ? step('schedule', null, 'it has none: a report runs when somebody asks for it')
      : step('schedule', schedule.enabled ? null : 'schedule-disabled', schedule.enabled ? 'enabled' : 'disabled');
  const cron =
    schedule !== null && isUnreadable(schedule)
      ? [
          step(
            'recurrence',
            'cron-unreadable',
            `its cron, ${schedule.schedule}, cannot run: ${cronFault(schedule.schedule!)}`,
          ),
        ]
      : [];
  return {
    steps: [
      enabled,
      await organisationStep(setup, organisation),
      ...cron,
      step('latest task', unfinishedReason(latest?.status), fact),
    ],
    nextRunAt: schedule === null ? null : deadlineOf(setup, schedule),
  };
}

async function organisationStep({ kat }: Setup, organisation: string): Promise<ExplanationStep> {
  const rule = 'organisation';
  const answer = await attempt(kat.katalogus.knows(organisation, { fresh: true }));
  if (!answer.ok) return step(rule, null, `a report does not wait for Katalogus: ${answer.failure.message}`);
  if (!answer.value) return step(rule, 'organisation-gone', `Katalogus does not know organisation ${organisation}`);
  return step(rule, null, `Katalogus knows organisation ${organisation}`);
}

function step(rule: string, reason: RefusalReason | null, fact: string): ExplanationStep {
  return { rule, outcome: reason === null ? 'passes' : 'refuses', reason, fact };
}
