import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTaskLists } from '../../src/queue/lists.ts';
import { migrate } from '../../src/queue/migrations.ts';
import { connect, type Sql } from '../../src/queue/postgres.ts';
import { createSchedules } from '../../src/queue/schedule-records.ts';
import { createTaskQueue, type RunningTaskQueue } from '../../src/queue/task-queue.ts';
import type { RestServer } from '../../src/rest/server.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { intendedDifferences } from '../fixtures/intended-differences.ts';
import { serve, threeSchedulers } from '../rest/double.ts';
import { createDatabase } from '../support/database.ts';
import { fillGap } from '../support/recording-gap.ts';
import { type RecordedLine, readRecording, Replay } from '../support/replay.ts';

const recording = readRecording();
const recordedUrl = 'http://127.0.0.1:58004';
/** The last line before the recording skips, and the first after it. */
const gap = { before: 100, after: 340 };

let database: Awaited<ReturnType<typeof createDatabase>>;
let sql: Sql;
let queue: RunningTaskQueue;
let metrics: ReturnType<typeof createMetrics>;
let server: RestServer;
let replay: Replay;
let now: Date;

beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
  sql = connect(database.url, { max: 4 });
  queue = createTaskQueue({ databaseUrl: database.url, connections: 4 });
  const lists = createTaskLists(sql);
  metrics = createMetrics({
    queueDepths: () => Promise.resolve(new Map()),
    scheduleLags: () => Promise.resolve(new Map()),
    actors: () => [],
  });
  const served = await serve({
    metrics: metrics.registry,
    queue,
    lists,
    schedules: createSchedules(sql),
    schedulers: { ...threeSchedulers, activity: (ids) => lists.activity(ids) },
    now: () => now,
  });
  server = served.server;
  replay = new Replay(served.url, recordedUrl);
});

afterAll(async () => {
  await server.close();
  metrics.stop();
  await queue.drain();
  await sql.end();
  await database.drop();
});

/** Crons are reckoned from the moment at which mula was asked. */
function momentOf({ body }: RecordedLine): Date {
  const created = (body as { created_at?: string } | null)?.created_at;
  return new Date(created ?? '2026-11-24T08:27:39Z');
}

test('every recorded request is answered as mula answered it, but for the table of intended differences', async () => {
  const found: Record<string, readonly string[]> = {};
  for (const line of recording) {
    if (line.seq === gap.after) await fillGap(sql, recording, gap);
    now = momentOf(line);
    const differences = replay.differences(line, await replay.ask(line));
    if (differences.length > 0) found[`${line.seq} ${line.name}`] = differences;
  }
  expect(found).toEqual(
    Object.fromEntries(intendedDifferences.map(({ seq, name, differences }) => [`${seq} ${name}`, differences])),
  );
});
