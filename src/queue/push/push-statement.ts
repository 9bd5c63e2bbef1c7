import type { z } from 'zod';
import { RotaError } from '../../errors.ts';
import { statement } from '../../postgres/pool.ts';
import type { NewTask } from '../../protocol/requests.ts';
import { checkLength, checkTexts, refuseLongText, lengths } from '../../tasks/limits.ts';
import { storedJson } from '../../tasks/secrets.ts';
import { type TaskType, taskTypeOf } from '../../tasks/data.ts';
import { priorityRange, type TaskData } from '../../tasks/task.ts';
import { chance } from '../../time-and-chance.ts';

/** One item of push.sql, named as its columns are. */
export interface QueueItem extends Partial<ScheduleColumns> {
  readonly id: string;
  /** The pusher chose the id: it may be taken. */
  readonly own_id: boolean;
  readonly organisation: string;
  readonly hash: string;
  /** JSON, without secrets. Written here, where what cannot be written fails its own item alone. */
  readonly data: string;
  readonly plugin: string | null;
  readonly image: string | null;
  readonly deduplication_key: string | null;
  /** Undefined, and so NULL, while tracing is off. */
  readonly traceparent: string | undefined;
}

/** Of the schedule; nothing where the task has none. */
interface ScheduleColumns {
  /** `assumed`: a default that the actor has yet to put right. */
  readonly recurrence: 'given' | 'default' | 'assumed';
  /** Used where there is no schedule with this hash yet. */
  readonly new_schedule_id: string;
  readonly schedule?: string | null;
  /** `schedule` is the boefje's cron. */
  readonly inherited?: boolean;
  readonly deadline_at?: string | null;
  /** The boefje's interval set `deadline_at`. */
  readonly by_interval?: boolean | undefined;
  /** Why it is disabled from the beginning. */
  readonly disabled?: string | undefined;
  /** Of the schedule that the decision was based on; null where no schedule caused it. */
  readonly version?: string | null;
  /** Until the default deadline; absent for none. */
  readonly delay_seconds?: number;
}

export interface NewTaskOptions {
  readonly type: string;
  /** Seconds; see SCHEDULER_PQ_GRACE_PERIOD and SCHEDULER_PQ_JITTER. */
  readonly gracePeriodSeconds: number;
  readonly jitterSeconds: number;
}

/**
 * @throws RotaError BAD_REQUEST for data that is not what the type says, INVALID_REQUEST for a priority beyond int4 and
 * for texts that are too long (src/tasks/limits.ts), for actors too: plug-ins and OOIs come from other services.
 */
export function queueItem(task: NewTask, options: NewTaskOptions): QueueItem {
  const type = taskTypeOf(options.type);
  const data = task.checked === true ? task.data : read(type, task.data);
  checkPriority(task.priority);
  checkLength('organisation', task.organisation, lengths.organisation);
  checkTexts(type, data);
  const agreed = agreedId(task.id, data, type);
  const id = agreed ?? chance.timeOrderedUuid();
  const columns = type.columns(data);
  const item: QueueItem = {
    id,
    own_id: agreed !== undefined,
    organisation: task.organisation,
    hash: task.hash ?? type.hash(data),
    // As in mula: data is stored as it was given, unless it gets an id and is completed with its defaults then.
    data: storedJson(type.carriesId && agreed === undefined ? { ...data, id } : task.data),
    plugin: columns.plugin,
    image: columns.image,
    deduplication_key: columns.deduplicationKey,
    traceparent: task.trace || undefined,
  };
  // Not spread into the literal, also where there is none: that took 2 µs a task.
  const schedule = scheduleOf(task, options);
  return schedule === undefined ? item : Object.assign(item, schedule);
}

function read(type: TaskType, given: TaskData): TaskData {
  const parsed = type.schema.safeParse(given);
  if (parsed.success) return parsed.data;
  refuseLongText(parsed.error);
  throw new RotaError('BAD_REQUEST', `malformed item: ${describe(parsed.error)}`);
}

/** Where data carries the id both must be equal; a push in which they differ gets a fresh one for both (kat-contract §1). */
function agreedId(id: string | undefined, data: TaskData, { carriesId }: TaskType): string | undefined {
  return carriesId && id !== data['id'] ? undefined : id;
}

function checkPriority(priority: number | undefined): void {
  if (priority === undefined) return;
  if (Number.isInteger(priority) && priority >= priorityRange.least && priority <= priorityRange.most) return;
  throw new RotaError('INVALID_REQUEST', `priority: expected a whole number of 32 bits, got ${priority}`);
}

function scheduleOf(task: NewTask, options: NewTaskOptions): ScheduleColumns | undefined {
  if (!taskTypeOf(options.type).schedules || task.recurrence === 'none') return undefined;
  const new_schedule_id = chance.timeOrderedUuid();
  if (typeof task.recurrence === 'object') {
    const {
      schedule,
      deadlineAt: deadline_at,
      inherited = false,
      byInterval,
      disabled,
      version = null,
    } = task.recurrence;
    const decided = { schedule, inherited, deadline_at, by_interval: byInterval, disabled, version };
    return { recurrence: 'given', new_schedule_id, ...decided };
  }
  const recurrence = task.recurrence ?? 'assumed';
  // The grace period is the boefje's alone: a report without a cron runs once.
  if (options.type !== 'boefje') return { recurrence, new_schedule_id };
  const delay_seconds = options.gracePeriodSeconds + chance.random() * options.jitterSeconds;
  return { recurrence, new_schedule_id, delay_seconds };
}

/** A rank as mula's int4 priority shows it. */
export function priorityOf(rank: number): number {
  return Math.max(priorityRange.least, Math.min(priorityRange.most, rank));
}

function describe(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || 'data'}: ${issue.message}`).join('; ');
}

/** A rank of an image: its virtual time; of what a person put first where it is below −2^31. */
export interface VirtualTime {
  /** '' of tasks without one. */
  readonly image: string;
  readonly rank: number;
}

/** The tasks of one organisation and image, those that a person put first apart. */
export interface Flow {
  readonly organisation: string;
  /** '' of tasks without one. */
  readonly image: string;
  readonly manual: boolean;
}

/** No text in Postgres has a NUL, so no two flows have one key. */
export function keyOfFlow({ organisation, image, manual }: Flow): string {
  return `${organisation}\0${image}${manual ? '\0' : ''}`;
}

/** The flows of tasks, each once and as rota_flows takes them, and of each task the number of its flow, from 0 on. */
export function flowsOf(tasks: readonly Flow[]): { flows: readonly (Flow & { n: number })[]; of: readonly number[] } {
  const flows = new Map<string, Flow & { n: number }>();
  const of = tasks.map((task) => {
    const key = keyOfFlow(task);
    const known = flows.get(key);
    if (known !== undefined) return known.n;
    const { organisation, image, manual } = task;
    const n = flows.size;
    flows.set(key, { n, organisation, image, manual });
    return n;
  });
  return { flows: [...flows.values()], of };
}

interface PushSettings {
  readonly scheduler: string;
  readonly type: string;
  readonly maxSize: number;
  readonly answersTasks: boolean;
  /** Scores are costs; `unsaved`: virtual times of this supervisor that may not be stored yet. */
  readonly costs: { readonly unsaved: readonly VirtualTime[] } | null;
}

/** An item, where it stands in the set, and what its ranker said of it. */
interface ScoredItem {
  readonly row: QueueItem;
  readonly n: number;
  readonly score: number;
  readonly manual: boolean;
}

/** push.sql for these items. Their data are lines, since JSON has no raw line break. */
export function pushStatement(
  items: readonly ScoredItem[],
  { scheduler, type, maxSize, answersTasks, costs }: PushSettings,
): { text: string; values: readonly unknown[] } {
  const data = items.map(({ row }) => row.data).join('\n');
  const withSchedules = items.some(({ row }) => row.recurrence !== undefined);
  const valuesOf = (columns: readonly object[]) => [
    scheduler,
    type,
    JSON.stringify(columns),
    data,
    maxSize,
    answersTasks,
  ];
  if (costs === null) {
    const columns = items.map(({ row, n, score }) => {
      return { ...row, data: undefined, n, score, priority: priorityOf(score) };
    });
    return { text: statementText(withSchedules, false, maxSize > 0), values: valuesOf(columns) };
  }
  const { flows, of } = flowsOf(
    items.map(({ row: { organisation, image }, manual }) => ({ organisation, image: image ?? '', manual })),
  );
  const columns = items.map(({ row, n, score, manual }, at) => {
    return { ...row, data: undefined, n, score, flow: of[at], priority: manual ? 1 : undefined };
  });
  return {
    text: statementText(withSchedules, true, maxSize > 0),
    values: [...valuesOf(columns), JSON.stringify(flows), JSON.stringify(costs.unsaved)],
  };
}

/** What a set does not need is not in its statement: setting up the plan is most of what one task takes (docs/design-choices.md). */
function statementText(withSchedules: boolean, withCosts: boolean, bounded: boolean): string {
  const key = `${withSchedules} ${withCosts} ${bounded}`;
  const known = texts.get(key);
  if (known !== undefined) return known;
  const part = (name: string) => statement(`push/${name}`).trimEnd();
  const parts: Readonly<Record<string, string>> = {
    columns: withSchedules ? scheduleColumns.replaceAll(/ [^,]+/g, '').replaceAll(',', ', ') + ', ' : '',
    types: withSchedules ? `, ${scheduleColumns}` : '',
    admitted: bounded ? part('push-bounded') : unbounded,
    ranked: withCosts ? part('push-flows') : byScore,
    schedules: withSchedules ? part('push-schedules') : noSchedules,
  };
  const text = statement('push/push').replaceAll(
    /\{(columns|types|admitted|ranked|schedules)\}/g,
    (_, name: string) => parts[name]!,
  );
  texts.set(key, text);
  return text;
}

const texts = new Map<string, string>();
/** `ScheduleColumns` with their types. */
const scheduleColumns =
  'recurrence text,new_schedule_id uuid,schedule text,inherited boolean,deadline_at timestamptz,by_interval boolean,' +
  'disabled text,version timestamptz,delay_seconds double precision';
// Named, since a parameter that no part names has no type.
const unbounded = 'admitted AS NOT MATERIALIZED (SELECT *, true AS fits FROM items WHERE $5::integer <= 0),';
const byScore = 'ranked AS NOT MATERIALIZED (SELECT *, score AS rank FROM admitted),';
const noSchedules =
  'scheduled AS MATERIALIZED (SELECT NULL::uuid AS id, NULL::text AS hash, false AS corrects, false AS inherited WHERE false),';
