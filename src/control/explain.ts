import { z } from 'zod';
import { RotaError } from '../errors.ts';
import { FailureError } from '../mailbox/failure.ts';
import type { Outcome } from '../mailbox/ref.ts';
import type { Explanation, ExplanationStep } from '../protocol/commands.ts';
import type { ExplanationView, ScheduleView, TaskView } from '../protocol/operator-lists.ts';
import type { DueSchedule } from '../protocol/requests.ts';
import type { TaskQueue } from '../queue/queue.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { ScheduleStore } from '../queue/schedules/schedule-store.ts';
import type { Supervision } from '../supervisor/supervision.ts';
import { rawData, taskTypeOf } from '../tasks/data.ts';
import { lengths } from '../tasks/limits.ts';
import type { TaskData } from '../tasks/task.ts';
import { ExplainBounds } from './explain-bounds.ts';
import { type PushPorts, pushSteps, type WayPorts, waysOf } from './in-the-way.ts';
import { type CommandAudit, command, type SomeCommands } from './operator-command.ts';
import { type LimitingPorts, limitsOf, startBy, wayOf } from './limit-views.ts';
import { listedText } from './paging.ts';
import { whyNotNow } from './verdict.ts';

interface ExplainPorts extends PushPorts, WayPorts, LimitingPorts {
  readonly supervision: Pick<Supervision, 'ask'>;
  readonly inspection: Pick<QueueInspection, 'details' | 'schedules' | 'scheduleOf' | 'overview' | 'start'>;
  readonly scheduleStore: Pick<ScheduleStore, 'latestTasks'>;
  /** Task type of a scheduler. */
  readonly typeOf: (scheduler: string) => string;
}

/** The event of Bytes about a raw file, as far as it matters. */
const rawFileEvent = z.object({
  organization: listedText(lengths.organisation).min(1),
  raw_data: rawData.extend({ size: z.number().int().min(0).nullish() }),
});

type Asked =
  | { readonly id: string }
  | { readonly organisation: string; readonly boefje: string; readonly ooi: string | null }
  | { readonly rawFile: z.output<typeof rawFileEvent>; readonly normalizer: string | undefined };

/** An actor asks three services, each of which may take its time-out of some seconds. */
const mostMs = 8_000;

type Question = { readonly asked: Asked; readonly withinMs: number };

/**
 * A task or schedule by its id; a boefje and an OOI; or a raw file, and perhaps one normalizer. One object and no union: a
 * union would not tell which field is wrong.
 */
const question = z
  .strictObject({
    id: z.uuid().optional(),
    organisation: listedText(lengths.organisation).min(1).optional(),
    boefje: listedText(lengths.name).min(1).optional(),
    ooi: listedText(lengths.ooi).min(1).nullish(),
    raw_file: rawFileEvent.optional(),
    normalizer: listedText(lengths.name).min(1).optional(),
    /** For the actor's answer: the rest of an explanation does not wait longer for it. */
    within_ms: z.int().min(100).max(mostMs).default(mostMs),
  })
  .transform(
    ({ id, organisation, boefje, ooi = null, raw_file, normalizer, within_ms: withinMs }, context): Question => {
      if (id !== undefined) return { asked: { id }, withinMs };
      if (raw_file !== undefined) return { asked: { rawFile: raw_file, normalizer }, withinMs };
      if (organisation !== undefined && boefje !== undefined) return { asked: { organisation, boefje, ooi }, withinMs };
      context.addIssue({ code: 'custom', message: 'expected id, or organisation and boefje, or raw_file' });
      return z.NEVER;
    },
  );

interface BoundedPorts extends ExplainPorts {
  readonly bounds: Pick<ExplainBounds, 'ofActor'>;
}

export interface RunNowPorts extends ExplainPorts {
  readonly queue: Pick<TaskQueue, 'push'>;
  readonly audit: CommandAudit;
}

/**
 * `explain`: the actor's own decision on live data, with what queue, schedule and pauses add to it. `run-now`: queues what only waits
 * for its time or for an event, as a person in Rocky does.
 */
export function explainCommands(given: RunNowPorts) {
  const bounds = new ExplainBounds();
  const ports = { ...given, bounds };
  return {
    explain: command('read', question, async (asked, caller) =>
      bounds.shared(caller, JSON.stringify(asked), async () => (await explanationOf(ports, asked)).view),
    ),

    // Decided anew, and not by what a page showed: clearance may have been lowered since.
    'run-now': command('operate', question, async (asked, { by }) => {
      const { view, plugin, data } = await bounds.ofCaller(by, () => explanationOf(ports, asked));
      const { scheduler, organisation } = view;
      const why = whyNotNow(view);
      if (why !== null) throw new RotaError('CONFLICT', `not queued: ${why}`);
      if (data === null)
        throw new RotaError('CONFLICT', 'not queued: a raw file may become several tasks, so name its normalizer');
      // Asked twice at once, it runs once.
      const follows = view.task?.id ?? null;
      const [outcome] = await ports.queue.push(scheduler, [{ organisation, priority: 1, data, follows }]);
      if (outcome?.outcome === 'failed') throw new FailureError(outcome.failure);
      if (outcome?.outcome === 'refused') throw new RotaError('CONFLICT', `not queued: ${outcome.reason}`);
      if (outcome === undefined) throw new RotaError('BROKEN', 'the queue gave no outcome');
      ports.audit('run-now', by, { scheduler, organisation, plugin, task: outcome.id });
      return { task: outcome.id, scheduler, organisation };
    }),
  } satisfies SomeCommands;
}

/** `data`: of the task that a run would make, as far as the actor says so. */
async function explanationOf(
  ports: BoundedPorts,
  { asked, withinMs }: Question,
): Promise<{ readonly view: ExplanationView; readonly plugin: string | null; readonly data: TaskData | null }> {
  const explained = await explainedTask(ports, asked);
  const { scheduler, organisation, trigger, hash, plugin } = explained;
  const [task, schedule] = await Promise.all([
    latestOf(ports, explained),
    explained.schedule ?? (hash === null ? null : ports.inspection.scheduleOf(scheduler, hash)),
  ]);
  const [{ steps, nextRunAt, data = null }, ways, start, holding] = await Promise.all([
    decided(ports, explained, schedule, withinMs),
    waysOf(ports, explained, task),
    task?.queue ? ports.inspection.start(task) : null,
    limitsOf(ports.limits, ports.now(), explained, task),
  ]);
  const refusing = steps.find(({ outcome }) => outcome === 'refuses');
  const unanswered = steps.some(({ outcome }) => outcome === 'unanswered');
  const view: ExplanationView = {
    asked_at: new Date(ports.now()).toISOString(),
    scheduler,
    organisation,
    hash,
    trigger,
    verdict: refusing !== undefined ? 'refused' : unanswered ? 'unknown' : 'would-run',
    reason: refusing?.reason ?? null,
    steps,
    in_the_way: [...ways, ...holding.map(wayOf)],
    start: start === null ? null : startBy(holding, start),
    task: task === null ? null : taskInShort(task),
    schedule: schedule === null ? null : scheduleInShort(schedule),
    next_run_at: schedule?.enabled === true ? schedule.deadline_at : null,
    then_again_at: nextRunAt,
  };
  return { view, plugin, data };
}

/** What the actor decides, and where it would make a task, what the push may still refuse. */
async function decided(
  ports: BoundedPorts,
  { scheduler, organisation, data, trigger }: ExplainedTask,
  schedule: ScheduleView | null,
  withinMs: number,
): Promise<Explanation> {
  const due = schedule === null ? null : dueOf(schedule);
  const until = ports.now() + withinMs;
  const message = { kind: 'explain', organisation, data, schedule: due, trigger, until } as const;
  const asked = await ports.bounds.ofActor(scheduler, () =>
    ports.supervision.ask<Explanation>(scheduler, message, withinMs),
  );
  const decision = decisionOf(asked, withinMs);
  const decides = decision.steps.every(({ outcome }) => outcome === 'passes' || outcome === 'skipped');
  if (!decides) return decision;
  return { ...decision, steps: [...decision.steps, ...(await pushSteps(ports, scheduler, organisation))] };
}

/** Data of a task that exists, or could. */
interface ExplainedTask {
  readonly scheduler: string;
  readonly organisation: string;
  readonly data: TaskData;
  readonly trigger: 'event' | 'schedule';
  /** Null for a raw file without a named normalizer: it may become several tasks. */
  readonly hash: string | null;
  readonly plugin: string | null;
  /** Set where the question names it; an adopted one may have another hash than its task. */
  readonly schedule: ScheduleView | null;
}

/** A task is explained as if its event came again, a schedule as if it were due. */
async function explainedTask({ inspection, typeOf }: ExplainPorts, asked: Asked): Promise<ExplainedTask> {
  if ('rawFile' in asked) {
    const { size = null, ...raw } = asked.rawFile.raw_data;
    const about = { scheduler: 'normalizer', organisation: asked.rawFile.organization, trigger: 'event' } as const;
    const data = { raw_data: raw, size };
    if (asked.normalizer === undefined) return { ...about, data, hash: null, plugin: null, schedule: null };
    return identified({ ...about, data: { ...data, normalizer: { id: asked.normalizer } } }, 'normalizer');
  }
  if ('boefje' in asked) {
    const { organisation, boefje, ooi } = asked;
    const data = { boefje: { id: boefje }, input_ooi: ooi, organization: organisation };
    return identified({ scheduler: 'boefje', organisation, data, trigger: 'event' }, 'boefje');
  }
  const { id } = asked;
  const [[details], [scheduled]] = await Promise.all([inspection.details([id]), inspection.schedules([id])]);
  const found = details ?? scheduled;
  if (found === undefined) throw new RotaError('NOT_FOUND', `there is neither a task nor a schedule ${id}`);
  const { scheduler_id: scheduler, organisation, data } = found;
  const trigger = details === undefined ? 'schedule' : 'event';
  return {
    ...identified({ scheduler, organisation, data, trigger }, typeOf(scheduler)),
    schedule: scheduled ?? null,
  };
}

function identified(about: Omit<ExplainedTask, 'hash' | 'plugin' | 'schedule'>, type: string): ExplainedTask {
  const taskType = taskTypeOf(type);
  const parsed = taskType.schema.safeParse(about.data);
  if (!parsed.success)
    throw new RotaError('BAD_REQUEST', `its data is not that of a ${type} task: nothing can be said about it`);
  return { ...about, hash: taskType.hash(parsed.data), plugin: taskType.columns(parsed.data).plugin, schedule: null };
}

async function latestOf(ports: ExplainPorts, { scheduler, hash }: ExplainedTask): Promise<TaskView | null> {
  if (hash === null) return null;
  const [latest] = await ports.scheduleStore.latestTasks(scheduler, { hashes: [hash] });
  return latest === undefined ? null : ((await ports.inspection.details([latest.id]))[0] ?? null);
}

function dueOf(due: ScheduleView): DueSchedule {
  const { id, organisation, hash, data, enabled, schedule, inherited, asked, deadline_at } = due;
  const deadlineAt = deadline_at === null ? null : Date.parse(deadline_at);
  const { by_interval: byInterval, modified_at: version } = due;
  return { id, version, organisation, hash, data, enabled, schedule, inherited, byInterval, asked, deadlineAt };
}

/** An actor that does not answer is a step without an answer; the rest of the explanation stands. */
function decisionOf(decision: Outcome<Explanation>, withinMs: number): Explanation {
  const unanswered = (fact: string): Explanation => {
    const step: ExplanationStep = { rule: 'actor', outcome: 'unanswered', reason: null, fact };
    return { steps: [step], nextRunAt: null };
  };
  if (decision.outcome === 'timeout') return unanswered(`it does not answer within ${withinMs / 1_000} s`);
  if (decision.outcome === 'terminated') return unanswered('it does not run now');
  if (decision.result.ok) return decision.result.value;
  const { code, message } = decision.result.failure;
  return unanswered(code === 'UNKNOWN_MESSAGE' ? 'this scheduler does not explain its decisions' : message);
}

function taskInShort(task: TaskView): ExplanationView['task'] {
  const { id, status, reason, attempts, created_at, modified_at } = task;
  return { id, status, reason, attempts, created_at, modified_at };
}

function scheduleInShort(of: ScheduleView): ExplanationView['schedule'] {
  const { id, enabled, disabled_reason, schedule, inherited, deadline_at } = of;
  return { id, enabled, disabled_reason, schedule, inherited, deadline_at };
}
