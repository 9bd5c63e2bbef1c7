import type { SchedulerActivity } from '../queue/lists.ts';

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

/** prom-client's Registry is one. */
export interface MetricsSource {
  metrics(): Promise<string>;
}
