import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { SchedulerActivity } from '../queue/lists/lists.ts';
import type { Health } from '../observation/health.ts';

/** Fastify with handlers typed by the zod schemas of their routes. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What the REST API needs from the rest of Rota, beside the queue, its lists and the schedules (src/queue). */

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

export type HealthSource = Pick<Health, 'version' | 'problems' | 'externals' | 'notReady'>;
