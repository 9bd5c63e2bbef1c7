import { createWeights } from '../../src/control/weights.ts';
import { createQueueInspection } from '../../src/queue/lists/inspection.ts';
import { createTaskLists } from '../../src/queue/lists/lists.ts';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { connect, type Sql } from '../../src/postgres/pool.ts';
import { createSchedules } from '../../src/queue/schedules/schedule-crud.ts';
import { createTaskQueue, type RunningTaskQueue } from '../../src/queue/task-queue.ts';
import type { RestOptions } from '../../src/rest/server.ts';
import { serve, threeSchedulers } from '../rest/double.ts';
import { quietLog } from './quiet-log.ts';
import { createDatabase } from './database.ts';

export interface RestOnPostgres {
  readonly url: string;
  readonly sql: Sql;
  readonly queue: RunningTaskQueue;
  /** Takes the database away. */
  dropDatabase(): Promise<void>;
  stop(): Promise<void>;
}

/** The REST API over a real queue on an empty database; no actors. */
export async function serveOnPostgres(options: Partial<RestOptions> = {}): Promise<RestOnPostgres> {
  const database = await createDatabase();
  await migrate(database.url);
  const sql = connect(database.url, { max: 4 });
  const queue = createTaskQueue({ databaseUrl: database.url, connections: 4 });
  const lists = createTaskLists(sql);
  const { url, server } = await serve({
    queue,
    lists,
    inspection: createQueueInspection(sql),
    schedules: createSchedules(sql),
    operations: {
      weights: createWeights(
        sql,
        threeSchedulers.all().map(({ id }) => id),
      ),
      run: () => Promise.reject(new Error('no test asks for it')),
      audit: (audit, by, fields) => (options.log ?? quietLog).info({ audit, by, ...fields }, 'audit'),
    },
    schedulers: { ...threeSchedulers, activity: (ids) => lists.activity(ids) },
    ...options,
  });
  return {
    url,
    sql,
    queue,
    dropDatabase: () => database.drop(),
    async stop() {
      await server.close();
      await queue.drain();
      await sql.end();
      await database.drop();
    },
  };
}
