import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/postgres/pool.ts';
import { createQueueInspection } from '../../src/queue/lists/inspection.ts';
import { queueSizeStatement } from '../../src/queue/lists/queue-size.ts';
import { createTaskLists } from '../../src/queue/lists/lists.ts';
import { foldCounts, readQueueBy } from '../../src/queue/maintenance/counts.ts';
import type { QueuePart } from '../../src/tasks/task.ts';
import { blocksOf, unattendedDatabase } from '../support/blocks.ts';

test(
  'a look at a queue reads no more of it at 200 000 than at 40 000, half of them held, and what it says is right',
  { timeout: 240_000 },
  async () => {
    const { sql, url } = await unattendedDatabase();
    const fill = async (from: number, to: number) => {
      await sql`
      WITH made AS MATERIALIZED (SELECT n, gen_random_uuid() AS id FROM generate_series(${from}::integer, ${to}::integer) AS n),
      stored AS (
        INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
        SELECT id, 'boefje', 'aa', 'boefje', n::text, 2, '{}', 'QUEUED', now() - n * interval '1 second', now() FROM made
      )
      INSERT INTO queue (scheduler, held, rank, created_at, id, hash, organisation)
      SELECT 'boefje', n % 2 = 0, 2 + n, now() - n * interval '1 second', id, n::text, 'aa' FROM made`;
      await foldCounts(sql);
    };
    const one = connect(url, { max: 1, byKey: true });
    onTestFinished(() => one.end());
    const read = async () => {
      const sums = [];
      for (const [name, values] of [
        ['lists/queue-overview', [['boefje'], 300, 10, 10_000]],
        ['lists/scheduler-activity', [['boefje'], 10_000]],
      ] as const) {
        const blocks = await blocksOf(one, queueSizeStatement(name), values);
        sums.push(blocks.reduce((total, [, count]) => total + count, 0));
      }
      return sums as [number, number];
    };
    await fill(1, 40_000);
    const [overview, activity] = await read();
    await fill(40_001, 200_000);
    const [later, laterActivity] = await read();
    expect(later).toBeLessThan(overview * 1.1 + 20);
    expect(laterActivity).toBeLessThan(activity * 1.1 + 20);

    const inspection = createQueueInspection(sql);
    const lists = createTaskLists(sql);
    const look = async () => (await inspection.overview(['boefje']))[0]!;
    expect(await look()).toMatchObject({ queued: 200_000, held: 10_000, heldIsLeast: true });
    expect((await look()).flow.estimated_empty_at).toBeNull();
    expect((await lists.activity(['boefje'])).get('boefje')!.queued).toBe(200_000);

    const [last] = await sql<{ id: string }[]>`SELECT id FROM queue WHERE NOT held ORDER BY rank DESC LIMIT 1`;
    const [early] = await sql<{ id: string }[]>`SELECT id FROM queue WHERE NOT held ORDER BY rank LIMIT 1 OFFSET 7`;
    const placeOf = async (id: string) => (await inspection.details([id]))[0]!.queue;
    expect(await placeOf(last!.id)).toEqual({ held: false, limit: null, ahead: 10_000, ahead_is_least: true });
    expect(await placeOf(early!.id)).toEqual({ held: false, limit: null, ahead: 7, ahead_is_least: false });

    // Where few are held, or few wait, the other figure follows.
    await sql`UPDATE queue SET held = false WHERE rank > 1000`;
    expect(await look()).toMatchObject({ queued: 200_000, held: 499, heldIsLeast: false });
    await sql`UPDATE queue SET held = rank > 1000`;
    const heldMost = await look();
    expect(heldMost).toMatchObject({ queued: 200_000, held: 200_000 - 998, heldIsLeast: false });
    // The oldest of all is held.
    expect(heldMost.oldestSeconds).toBeGreaterThan(990);
    expect(heldMost.oldestSeconds).toBeLessThan(1_500);
  },
);

test('a queue is told by organisation, boefje and image, and no more of it is read where it is long', async () => {
  const { sql, url } = await unattendedDatabase();
  const fill = async (from: number, to: number) => {
    await sql`
      WITH made AS MATERIALIZED (
        SELECT n, gen_random_uuid() AS id, CASE WHEN n <= 6 THEN 'small' ELSE 'large' END AS name
        FROM generate_series(${from}::integer, ${to}::integer) AS n
      ),
      stored AS (
        INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
        SELECT id, 'boefje', name, 'boefje', n::text, 2, '{}', 'QUEUED', now(), now() FROM made
      )
      INSERT INTO queue (scheduler, held, rank, created_at, id, hash, organisation, plugin, image)
      SELECT 'boefje', n <= 2, 2 + n, now() - n * interval '1 minute', id, n::text, name, name || '-b', name || '-i' FROM made`;
    await foldCounts(sql);
  };
  await fill(1, 5_000);
  await sql`INSERT INTO image_pops (scheduler, image, tasks, any_image, asked) VALUES ('boefje', 'small-i', 300, 0, true)`;
  const look = async (by: QueuePart) =>
    (await readQueueBy(sql, 'boefje', by)).map(
      ({ name, queued, queued_is_least, held, oldest_seconds, per_second }) => {
        return [name, queued, queued_is_least, held, Math.round(oldest_seconds! / 60), per_second];
      },
    );
  expect(await look('organisation')).toEqual([
    ['large', 4_994, false, 0, 106, null],
    ['small', 6, false, 2, 6, null],
  ]);
  expect(await look('boefje')).toEqual([
    ['large-b', 1_000, true, 0, 1_006, null],
    ['small-b', 6, false, 2, 6, null],
  ]);
  expect(await look('image')).toEqual([
    ['large-i', 1_000, true, 0, 1_006, 0],
    ['small-i', 6, false, 2, 6, 1],
  ]);
  const one = connect(url, { max: 1, byKey: true });
  onTestFinished(() => one.end());
  const values = ['boefje', 100, 1_000, 300];
  const read = async () =>
    Promise.all(
      ['plugin', 'image']
        .map((column) => queueSizeStatement('lists/queue-by-name').replaceAll('{column}', column))
        .concat(queueSizeStatement('lists/queue-by-organisation'))
        .map(async (text) => (await blocksOf(one, text, values)).reduce((total, [, count]) => total + count, 0)),
    );
  const before = await read();
  await fill(5_001, 40_000);
  for (const [at, blocks] of (await read()).entries()) expect(blocks).toBeLessThan(before[at]! * 1.2 + 40);
});
