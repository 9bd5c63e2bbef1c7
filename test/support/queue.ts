import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import type { NewTask } from '../../src/protocol/requests.ts';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { type Sql, connect } from '../../src/postgres/pool.ts';
import type { ClaimedTask, PopRequest } from '../../src/queue/queue.ts';
import { type RunningTaskQueue, type TaskQueueOptions, createTaskQueue } from '../../src/queue/task-queue.ts';
import type { Task } from '../../src/tasks/task.ts';
import { createDatabase } from './database.ts';

export interface QueueUnderTest {
  readonly queue: RunningTaskQueue;
  readonly sql: Sql;
  readonly url: string;
  /** Another supervisor's queue on the same database. */
  readonly another: (options?: Partial<TaskQueueOptions>) => RunningTaskQueue;
}

/** A queue on a migrated database of the test's own; all of it ends with the test. */
export async function queueUnderTest(options: Partial<TaskQueueOptions> = {}): Promise<QueueUnderTest> {
  const database = await createDatabase();
  await migrate(database.url);
  const sql = connect(database.url, { max: 2 });
  const queues: RunningTaskQueue[] = [];
  const another = (more: Partial<TaskQueueOptions> = {}) => {
    const queue = createTaskQueue({ databaseUrl: database.url, connections: 5, retryMs: 0, ...options, ...more });
    queues.push(queue);
    return queue;
  };
  onTestFinished(async () => {
    await Promise.all(queues.map((queue) => queue.drain()));
    await sql.end();
    await database.drop();
  });
  return { queue: another(), sql, url: database.url, another };
}

/** A boefje task about an OOI, of organisation `aa` by default. */
export function boefjeTask(
  ooi: string = randomUUID(),
  options: Partial<NewTask> & { boefje?: string; image?: string; group?: string } = {},
): NewTask {
  const { boefje = 'dns-records', image = 'img:a', group, organisation = 'aa', ...rest } = options;
  return {
    organisation,
    data: {
      boefje: { id: boefje, name: 'DNS records', oci_image: image },
      input_ooi: ooi,
      organization: organisation,
      ...(group === undefined ? {} : { deduplication_key: group }),
    },
    ...rest,
  };
}

export function popRequest(request: Partial<PopRequest> = {}): PopRequest {
  return { limit: 1, filters: null, waitMs: 0, leaseMs: 60_000, via: 'nats', worker: 'worker-1', ...request };
}

export function parse(task: ClaimedTask): Task {
  return JSON.parse(task.task) as Task;
}

export function ooiOf(task: ClaimedTask): string {
  return String(parse(task).data['input_ooi']);
}
