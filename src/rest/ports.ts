import type { SchedulerActivity } from '../queue/lists/lists.ts';

/** What the REST API asks of the rest of Rota, beside the queue, its lists and the schedules (src/queue). */

export interface Schedulers {
  /** In the order in which `/schedulers` shows them. */
  all(): readonly SchedulerEntry[];
  find(id: string): SchedulerEntry | undefined;
  activity(ids: readonly string[]): Promise<ReadonlyMap<string, SchedulerActivity>>;
}

export interface SchedulerEntry {
  readonly id: string;
  /** Task type (src/tasks/data.ts). */
  readonly type: string;
  readonly itemType: string;
}

export interface Health {
  readonly version: string;
  /** What is wrong now; empty is healthy. A source that is not configured is not unhealthy. */
  problems(): Promise<readonly Problem[]>;
  /** Whether each of KAT's services that is configured answers. */
  externals(): Promise<Readonly<Record<string, boolean>>>;
  /** Why it cannot serve (yet, or any more); empty is ready. */
  notReady(): Promise<readonly string[]>;
}

export interface Problem {
  /** `database`, `broker`, or a scheduler's id. */
  readonly part: string;
  readonly reason: string;
}

/** prom-client's Registry is one. */
export interface MetricsSource {
  metrics(): Promise<string>;
}
