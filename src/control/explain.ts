import type { Outcome } from '../mailbox/ref.ts';
import type { Explanation, ExplanationStep } from '../protocol/explanation.ts';
import type { Pauses } from '../queue/maintenance/pauses.ts';
import type { QueueInspection, ScheduleDetails, TaskDetails } from '../queue/lists/inspection.ts';
import type { Schedules } from '../queue/schedules/schedule-crud.ts';
import type { ScheduleStore } from '../queue/schedules/schedule-store.ts';
import type { Supervision } from '../supervisor/supervision.ts';
import type { Schedule } from '../tasks/task.ts';
import { type PushForecast, pushSteps } from './explain-push.ts';
import { question, type Subject, subjectOf } from './explain-subject.ts';
import { command, type OperatorCommand } from './operator-command.ts';

export interface ExplainDesk extends PushForecast {
  readonly supervision: Pick<Supervision, 'ask'>;
  readonly inspection: Pick<QueueInspection, 'details' | 'schedules' | 'overview'>;
  readonly schedules: Pick<Schedules, 'list'>;
  readonly scheduleStore: Pick<ScheduleStore, 'latestTasks'>;
  readonly pauses: Pick<Pauses, 'list'>;
  /** Task type of a scheduler. */
  readonly typeOf: (scheduler: string) => string;
}

/** An actor asks three services, each of which may take its time-out of some seconds. */
const actorWithinMs = 8_000;

/** `explain`: the actor's own decision on live data, with what queue, schedule and pauses add to it. */
export function explainCommands(desk: ExplainDesk): readonly OperatorCommand[] {
  return [
    command('explain', question, async (asked) => {
      const subject = await subjectOf(desk, asked);
      const { scheduler, organisation, data, trigger, hash } = subject;
      const [task, schedule] = await Promise.all([
        latestOf(desk, scheduler, hash),
        subject.schedule ?? scheduleOf(desk, scheduler, hash),
      ]);
      const due = schedule === null ? null : dueOf(schedule);
      const decision = await desk.supervision.ask<Explanation>(
        scheduler,
        { kind: 'explain', organisation, data, schedule: due, trigger },
        actorWithinMs,
      );
      const { steps: decided, nextRunAt } = decisionOf(decision);
      const decides = decided.every(({ outcome }) => outcome === 'passes' || outcome === 'skipped');
      const steps = decides ? [...decided, ...(await pushSteps(desk, scheduler, organisation))] : decided;
      const refusing = steps.find(({ outcome }) => outcome === 'refuses');
      const unanswered = steps.some(({ outcome }) => outcome === 'unanswered');
      return {
        scheduler,
        organisation,
        hash,
        trigger,
        verdict: refusing !== undefined ? 'refused' : unanswered ? 'unknown' : 'would-run',
        reason: refusing?.reason ?? null,
        steps,
        in_the_way: await waysOf(desk, subject, task),
        task: task === null ? null : shownTask(task),
        schedule: schedule === null ? null : shownSchedule(schedule),
        next_run_at: schedule?.schedule.enabled === true ? schedule.schedule.deadline_at : null,
        then_again_at: nextRunAt,
      };
    }),
  ];
}

async function latestOf(desk: ExplainDesk, scheduler: string, hash: string | null): Promise<TaskDetails | null> {
  if (hash === null) return null;
  const [latest] = await desk.scheduleStore.latestTasks(scheduler, { hashes: [hash] });
  return latest === undefined ? null : ((await desk.inspection.details([latest.id]))[0] ?? null);
}

async function scheduleOf(desk: ExplainDesk, scheduler: string, hash: string | null): Promise<ScheduleDetails | null> {
  if (hash === null) return null;
  const bounds = { offset: 0, limit: 1, filters: null, countPages: 1 };
  const { results } = await desk.schedules.list({ schedulerId: scheduler, hash, ...bounds });
  const [found] = JSON.parse(results) as Schedule[];
  return found === undefined ? null : ((await desk.inspection.schedules([found.id]))[0] ?? null);
}

function dueOf({ schedule, inherited }: ScheduleDetails) {
  const { id, organisation, hash, data, enabled, deadline_at, modified_at: version } = schedule;
  const deadlineAt = deadline_at === null ? null : Date.parse(deadline_at);
  return { id, version, organisation, hash, data, enabled, schedule: schedule.schedule, inherited, deadlineAt };
}

/** An actor that cannot be asked is a step without an answer: the rest is told. */
function decisionOf(decision: Outcome<Explanation>): Explanation {
  const unanswered = (fact: string): Explanation => {
    const step: ExplanationStep = { rule: 'actor', outcome: 'unanswered', reason: null, fact };
    return { steps: [step], nextRunAt: null };
  };
  if (decision.outcome === 'timeout') return unanswered(`it does not answer within ${actorWithinMs / 1_000} s`);
  if (decision.outcome === 'terminated') return unanswered('it does not run now');
  if (decision.result.ok) return decision.result.value;
  const { code, message } = decision.result.failure;
  return unanswered(code === 'UNKNOWN_MESSAGE' ? 'this scheduler does not explain its decisions' : message);
}

/** What keeps a task that is there, or would be, from its worker. */
async function waysOf(desk: ExplainDesk, { scheduler, organisation, plugin }: Subject, task: TaskDetails | null) {
  const pauses = (await desk.pauses.list()).filter(
    (pause) =>
      pause.scheduler === scheduler &&
      (pause.organisation ?? organisation) === organisation &&
      (pause.plugin ?? plugin) === plugin,
  );
  const { queue = null, lease = null } = task ?? {};
  return [
    ...pauses.map(({ organisation, plugin, pausedBy, since }) => ({
      what: 'pause',
      fact: `${scheduler}, ${organisation ?? 'every organisation'}, ${plugin ?? 'every boefje'}: paused since ${since} by ${pausedBy ?? 'somebody'}`,
    })),
    ...(queue !== null && !queue.held && queue.ahead! > 0
      ? [{ what: 'queue', fact: `${queue.ahead} queued tasks go before it` }]
      : []),
    ...(lease === null
      ? []
      : [
          {
            what: 'worker',
            fact: `${lease.worker ?? 'an unnamed worker'} has it over ${lease.via} until ${lease.until}`,
          },
        ]),
  ];
}

function shownTask({ task, reason, attempts }: TaskDetails): object {
  const { id, status, created_at, modified_at } = task;
  return { id, status, reason, attempts, created_at, modified_at };
}

function shownSchedule({ schedule, disabledReason, inherited }: ScheduleDetails): object {
  const { id, enabled, deadline_at } = schedule;
  return { id, enabled, disabled_reason: disabledReason, schedule: schedule.schedule, inherited, deadline_at };
}
