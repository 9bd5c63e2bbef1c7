import type { EffectiveValue } from '../config/config.ts';
import type { Schedule, TaskStatus } from '../tasks/task.ts';
import type {
  ChangedSelection,
  ChangedTasks,
  ExplanationView,
  ListedSchedule,
  ListedTask,
  ListPage,
  Page,
  ScheduleView,
  StartEstimate,
  TaskView,
} from './operator-lists.ts';
import type { LimitTest, LimitView, SetLimit, WindowView } from './limits.ts';
import type {
  DayView,
  OrganisationDetails,
  OrganisationPage,
  PausePreview,
  RerankPreview,
} from './operator-organisations.ts';
import type {
  AskedImage,
  AuditView,
  DeadLetterView,
  Examination,
  IncidentView,
  LogLevel,
  PartRate,
  QueuePartView,
  SupervisorView,
  WorkerView,
} from './operator-status.ts';

/** Answers of the operators' commands, `<prefix>.ctl.<command>`, as they travel. Timestamps are ISO. */
export interface OperatorAnswers {
  status: SupervisorView;
  'restart-actor': { readonly restarted: string };
  'kill-actor': { readonly killed: string };
  'log-level': { readonly actor: string; readonly level: LogLevel };
  /** `file`: path on the supervisor's machine. */
  heap: { readonly actor: string; readonly file: string };
  look: { readonly looking: readonly string[] | 'all' };
  reschedule: { readonly rescheduling: string };
  tasks: ListPage<ListedTask>;
  'task-details': { readonly results: readonly TaskView[] };
  'task-start': StartEstimate;
  /** Tasks of any age by status; a second old at most. */
  'task-totals': {
    readonly results: readonly ({ readonly scheduler: string } & Readonly<Record<TaskStatus, number>>)[];
  };
  'change-tasks': ChangedTasks;
  'change-selected-tasks': ChangedSelection;
  schedules: ListPage<ListedSchedule>;
  'schedule-details': ScheduleView;
  'enable-schedule': Schedule;
  'change-schedules': ChangedTasks;
  'run-schedule': Schedule;
  /** `before`: the cron of its own that it had; `set-cron` with it undoes this one. */
  'set-cron': Schedule & { readonly before: string | null };
  pauses: { readonly results: readonly PauseView[] };
  'queue-by': { readonly results: readonly QueuePartView[] };
  'queue-rates': { readonly results: readonly PartRate[] };
  organisations: OrganisationPage;
  organisation: OrganisationDetails;
  day: DayView;
  'preview-pause': PausePreview;
  names: { readonly results: readonly string[] };
  /** `held`: tasks that this request took out of the pops' way. `complete`: none is left. `known`: its organisation was ever seen. */
  pause: { readonly held: number; readonly complete: boolean; readonly known: boolean };
  resume: { readonly released: number; readonly complete: boolean };
  /** What it removed; tasks were cancelled. */
  purge: { readonly tasks: number; readonly schedules: number; readonly pauses: number };
  rerank: RerankProgress;
  'preview-rerank': RerankPreview;
  /** Those that are not 1. */
  weights: Page<WeightView>;
  'set-weight': ChangedWeight;
  'unset-weight': ChangedWeight;
  limits: { readonly results: readonly LimitView[] };
  'set-limit': SetLimit;
  'unset-limit': { readonly name: string };
  /** What would hold a task, or holds one. */
  'test-limit': LimitTest;
  windows: { readonly results: readonly WindowView[] };
  'set-window': SetLimit;
  'unset-window': { readonly name: string };
  explain: ExplanationView;
  /** `task`: its id. */
  'run-now': { readonly task: string; readonly scheduler: string; readonly organisation: string };
  'dead-letters': { readonly results: readonly DeadLetterView[] };
  /** Ids of the events that were there. */
  'settle-dead-letters': { readonly settled: readonly string[] };
  /** Newest first. */
  audit: { readonly results: readonly AuditView[] };
  doctor: Examination;
  /** `others`: rows beyond the 200 that hold most. `leases`: that were read, of which 10 000 are most. */
  workers: {
    readonly results: readonly WorkerView[];
    readonly leases: number;
    readonly leases_is_least: boolean;
    readonly others: number;
  };
  /** `any_image`: when a pop last asked that names no image. */
  demand: {
    readonly any_image: readonly { readonly scheduler: string; readonly asked_at: string | null }[];
    readonly images: readonly AskedImage[];
  };
  /**
   * Newest first. `unknown`: why those that are kept could not be read; the results are then what this supervisor remembers since its
   * start, 100 at most.
   */
  incidents: { readonly results: readonly IncidentView[]; readonly unknown: string | null };
  config: { readonly instance: string; readonly values: readonly EffectiveValue[] };
  drain: { readonly draining: string };
}

export type OperatorCommandName = keyof OperatorAnswers;

/** The share of an organisation: how often it is served, compared with one of weight 1. */
export interface WeightView {
  readonly scheduler: string;
  readonly organisation: string;
  readonly weight: number;
}

export interface ChangedWeight {
  readonly weight: number;
  readonly before: number;
}

/** Null is all of them. */
export interface PauseView {
  readonly scheduler: string;
  readonly organisation: string | null;
  /** Or normalizer, or report recipe. */
  readonly boefje: string | null;
  readonly paused_by: string | null;
  /** Why. */
  readonly note: string | null;
  readonly since: string;
}

/** The run goes on at `instance`: ask that one again, with `run`, until `complete`. */
export interface RerankProgress {
  readonly instance: string;
  readonly run: string;
  /** Tasks ranked so far, and those of them whose place changed. */
  readonly looked: number;
  readonly moved: number;
  readonly complete: boolean;
}
