import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { Outcome } from '../mailbox/ref.ts';
import type { Explanation, ExplanationStep } from '../protocol/commands.ts';
import type { ExplanationView, ScheduleView, TaskView } from '../protocol/operator-lists.ts';
import type { DueSchedule } from '../protocol/requests.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { Pauses } from '../queue/maintenance/pauses.ts';
import type { TaskRanking } from '../queue/push/rank.ts';
import type { ScheduleStore } from '../queue/schedules/schedule-store.ts';
import type { Supervision } from '../supervisor/supervision.ts';
import { rawData, taskTypeOf } from '../tasks/data.ts';
import { lengths, shortText } from '../tasks/limits.ts';
import type { TaskData } from '../tasks/task.ts';
import { command, type SomeCommands } from './operator-command.ts';

export interface ExplainPorts {
  readonly supervision: Pick<Supervision, 'ask'>;
  readonly inspection: Pick<QueueInspection, 'details' | 'schedules' | 'scheduleOf' | 'overview' | 'start'>;
  readonly scheduleStore: Pick<ScheduleStore, 'latestTasks'>;
  readonly pauses: Pick<Pauses, 'list'>;
  readonly ranking: TaskRanking;
  /** SCHEDULER_PQ_MAXSIZE; 0 is unlimited. */
  readonly maxSize: number;
  /** Task type of a scheduler. */
  readonly typeOf: (scheduler: string) => string;
}

/** The event of Bytes about a raw file, as far as it matters. */
const rawFileEvent = z.object({
  organization: shortText(lengths.organisation).min(1),
  raw_data: rawData.extend({ size: z.number().int().min(0).nullish() }),
});

type Question =
  | { readonly id: string }
  | { readonly organisation: string; readonly boefje: string; readonly ooi: string | null }
  | { readonly rawFile: z.output<typeof rawFileEvent>; readonly normalizer: string | undefined };

/**
 * A task or schedule by its id; a boefje and an OOI; or a raw file, and perhaps one normalizer. One object and no union: a
 * union would not tell which field is wrong.
 */
const question = z
  .strictObject({
    id: z.uuid().optional(),
    organisation: shortText(lengths.organisation).min(1).optional(),
    boefje: shortText(lengths.name).min(1).optional(),
    ooi: shortText(lengths.ooi).min(1).nullish(),
    raw_file: rawFileEvent.optional(),
    normalizer: shortText(lengths.name).min(1).optional(),
  })
  .transform(({ id, organisation, boefje, ooi = null, raw_file: rawFile, normalizer }, context): Question => {
    if (id !== undefined) return { id };
    if (rawFile !== undefined) return { rawFile, normalizer };
    if (organisation !== undefined && boefje !== undefined) return { organisation, boefje, ooi };
    context.addIssue({ code: 'custom', message: 'expected id, or organisation and boefje, or raw_file' });
    return z.NEVER;
  });

/** An actor asks three services, each of which may take its time-out of some seconds. */
const actorWithinMs = 8_000;

/** `explain`: the actor's own decision on live data, with what queue, schedule and pauses add to it. */
export function explainCommands(ports: ExplainPorts) {
  return {
    explain: command('read', question, async (asked) => {
      const explained = await explainedTask(ports, asked);
      const { scheduler, organisation, data, trigger, hash } = explained;
      const [task, schedule] = await Promise.all([
        latestOf(ports, explained),
        explained.schedule ?? (hash === null ? null : ports.inspection.scheduleOf(scheduler, hash)),
      ]);
      const decision = await ports.supervision.ask<Explanation>(
        scheduler,
        { kind: 'explain', organisation, data, schedule: schedule === null ? null : dueOf(schedule), trigger },
        actorWithinMs,
      );
      const { steps: decided, nextRunAt } = decisionOf(decision);
      const decides = decided.every(({ outcome }) => outcome === 'passes' || outcome === 'skipped');
      const steps = decides ? [...decided, ...(await pushSteps(ports, scheduler, organisation))] : decided;
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
        in_the_way: await waysOf(ports, explained, task),
        start: task?.queue ? await ports.inspection.start(task) : null,
        task: task === null ? null : taskInShort(task),
        schedule: schedule === null ? null : scheduleInShort(schedule),
        next_run_at: schedule?.enabled === true ? schedule.deadline_at : null,
        then_again_at: nextRunAt,
      };
    }),
  } satisfies SomeCommands;
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
async function explainedTask({ inspection, typeOf }: ExplainPorts, asked: Question): Promise<ExplainedTask> {
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

/** What the push may refuse after the actor has decided for a task: room in the queue, and its ranker. */
async function pushSteps(
  { inspection, ranking, maxSize }: ExplainPorts,
  scheduler: string,
  organisation: string,
): Promise<readonly ExplanationStep[]> {
  const [[overview], answer] = await Promise.all([
    inspection.overview([scheduler]),
    ranking.rank(scheduler, [{ organisation, lastRunAt: null, occurredAt: null, manual: false }]),
  ]);
  const queued = overview?.queued ?? 0;
  const full = maxSize > 0 && queued >= maxSize;
  const bound = maxSize === 0 ? 'there is no bound' : `${maxSize} may be, but for a person's`;
  return [
    {
      rule: 'room',
      outcome: full ? 'refuses' : 'passes',
      reason: full ? 'queue-full' : null,
      fact: `${queued} tasks are queued; ${bound}`,
    },
    'failure' in answer
      ? { rule: 'rank', outcome: 'refuses', reason: 'rank-failed', fact: answer.failure.message }
      : { rule: 'rank', outcome: 'passes', reason: null, fact: 'its ranker answers' },
  ];
}

/** What keeps a queued task, or would keep this one, from its worker. */
async function waysOf(
  ports: ExplainPorts,
  { scheduler, organisation, plugin }: ExplainedTask,
  task: TaskView | null,
): Promise<ExplanationView['in_the_way']> {
  const ways: ExplanationView['in_the_way'][number][] = (await ports.pauses.list())
    .filter(
      (pause) =>
        pause.scheduler === scheduler &&
        (pause.organisation ?? organisation) === organisation &&
        (pause.plugin ?? plugin) === plugin,
    )
    .map(({ organisation, plugin, pausedBy, note, since }) => {
      const paused = [scheduler, organisation ?? 'every organisation', plugin ?? 'every boefje'].join(', ');
      const fact = `${paused}: paused since ${since} by ${pausedBy ?? 'an unknown operator'}${note === null ? '' : `: ${note}`}`;
      return { what: 'pause', fact, since, by: pausedBy, note };
    });
  const { queue = null, lease = null } = task ?? {};
  if (queue !== null && !queue.held && queue.ahead! > 0)
    ways.push({ what: 'queue', fact: `${queue.ahead} queued tasks go before it` });
  if (lease !== null) {
    const fact = `${lease.worker ?? 'an unnamed worker'} has it over ${lease.via} until ${lease.until}`;
    ways.push({ what: 'worker', fact });
  }
  return ways;
}

function taskInShort(task: TaskView): ExplanationView['task'] {
  const { id, status, reason, attempts, created_at, modified_at } = task;
  return { id, status, reason, attempts, created_at, modified_at };
}

function scheduleInShort(of: ScheduleView): ExplanationView['schedule'] {
  const { id, enabled, disabled_reason, schedule, inherited, deadline_at } = of;
  return { id, enabled, disabled_reason, schedule, inherited, deadline_at };
}
