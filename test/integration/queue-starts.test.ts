import { expect, onTestFinished, test } from 'vitest';
import { ImageRates } from '../../src/observation/rates.ts';
import type { StartEstimate } from '../../src/protocol/operator-lists.ts';
import { statement } from '../../src/postgres/pool.ts';
import { createQueueInspection } from '../../src/queue/lists/inspection.ts';
import { Pauses } from '../../src/queue/maintenance/pauses.ts';
import { boefjeTask, popRequest, queueUnderTest } from '../support/queue.ts';

const image = (name: string) => ({
  filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'eq' as const, value: name }],
});

async function startsUnderTest() {
  const { queue, sql } = await queueUnderTest();
  const inspection = createQueueInspection(sql);
  const errors: unknown[] = [];
  const rates = new ImageRates(sql, (error) => errors.push(error));
  onTestFinished(() => rates.stop());
  /** What is queued, oldest first. @returns the last one's id */
  const push = async (count: number, of: string) => {
    const tasks = Array.from({ length: count }, () => boefjeTask(undefined, { image: of }));
    const outcomes = await queue.push('boefje', tasks);
    const last = outcomes.at(-1)!;
    if (last.outcome !== 'queued') throw new Error(last.outcome);
    return last.id;
  };
  const pop = (limit: number, filters: ReturnType<typeof image> | null = null) =>
    queue.pop('boefje', popRequest({ limit, filters }));
  /** What was popped so far was popped then, and all that is queued has waited since long before. */
  const secondsAgo = async (seconds: number) => {
    await rates.save();
    await sql`UPDATE image_pops SET until = until - ${seconds}::float8 * interval '1 second'`;
    await sql`UPDATE queue SET created_at = created_at - interval '1 hour'`;
    expect(errors).toEqual([]);
  };
  const start = async (id: string): Promise<StartEstimate> => {
    const [task] = await inspection.details([id]);
    return inspection.start(task!);
  };
  return { queue, sql, inspection, rates, push, pop, secondsAgo, start };
}

function secondsUntil({ estimated_start_at: at }: StartEstimate): number {
  return (Date.parse(at!) - Date.now()) / 1_000;
}

test('where workers ask for images, a task starts after those of its image, at the rate of its image', async () => {
  const { push, pop, rates, secondsAgo, start } = await startsUnderTest();
  await push(1_000, 'img:slow');
  const quick = await push(150, 'img:quick');
  await pop(10, image('img:slow'));
  await pop(100, image('img:quick'));
  await secondsAgo(98);
  // A worker that found nothing asks still.
  await pop(1, image('img:none'));
  await pop(1, image('img:quick'));
  await rates.save();
  const estimate = await start(quick);
  expect(estimate).toMatchObject({
    image: 'img:quick',
    among: 'image',
    before: 48,
    before_is_least: false,
    unknown: null,
  });
  expect(estimate.per_second).toBeCloseTo(1, 1);
  expect(secondsUntil(estimate)).toBeGreaterThan(45);
  expect(secondsUntil(estimate)).toBeLessThan(55);
});

test('where workers take any, a task starts after all that are before it, also if none of its image went lately', async () => {
  const { push, pop, secondsAgo, start } = await startsUnderTest();
  await push(200, 'img:first');
  const later = await push(50, 'img:later');
  await pop(100);
  await secondsAgo(48);
  const estimate = await start(later);
  expect(estimate).toMatchObject({ image: 'img:later', among: 'all', before: 149 });
  expect(estimate.per_second).toBeCloseTo(2, 0);
  expect(secondsUntil(estimate)).toBeGreaterThan(65);
  expect(secondsUntil(estimate)).toBeLessThan(85);
});

test('the rate is that of all supervisors', async () => {
  const { sql, push, pop, secondsAgo, start } = await startsUnderTest();
  const last = await push(200, 'img:a');
  await pop(50);
  await secondsAgo(48);
  const alone = await start(last);
  await sql`INSERT INTO image_pops SELECT scheduler, image, until, 3 * tasks, 3 * any_image, asked FROM image_pops`;
  const four = await start(last);
  expect(four.per_second! / alone.per_second!).toBeCloseTo(4, 1);
});

test('time before there was work does not make workers slow', async () => {
  const { sql, push, pop, rates, start } = await startsUnderTest();
  await push(20, 'img:a');
  await pop(20);
  await rates.save();
  await sql`UPDATE image_pops SET until = until - interval '4 minutes'`;
  const last = await push(200, 'img:a');
  await pop(40);
  await rates.save();
  await sql`UPDATE queue SET created_at = now() - interval '21 seconds'`;
  await sql`UPDATE image_pops SET until = now() - interval '1 second' WHERE until > now() - interval '1 minute'`;
  expect((await start(last)).per_second).toBeCloseTo(2, 0);
});

test('what cannot be told is said so: held, not queued, nobody asks, none was handed out', async () => {
  const { sql, queue, push, pop, secondsAgo, start } = await startsUnderTest();
  const pauses = new Pauses({ sql, ranksFairly: async () => false, onResumed: () => {}, onError: () => {} });
  const first = await push(1, 'img:a');
  expect(await start(first)).toMatchObject({
    unknown: 'nobody-asks',
    asked_at: null,
    before: 0,
    estimated_start_at: null,
  });
  await pauses.pause({ scheduler: 'boefje', organisation: null, plugin: null }, 'ann');
  expect(await start(first)).toMatchObject({ unknown: 'held', before: null, estimated_start_at: null });
  await pauses.resume({ scheduler: 'boefje', organisation: null, plugin: null });
  const other = await push(50, 'img:b');
  await pop(48, image('img:b'));
  await secondsAgo(20);
  expect(await start(other)).toMatchObject({ unknown: null, before: 1 });
  expect(await start(first)).toMatchObject({ unknown: 'nobody-asks', asked_at: null });

  // Asked for, and handed out, but not lately.
  await secondsAgo(200);
  expect(await start(other)).toMatchObject({ unknown: 'nobody-asks', asked_at: expect.any(String) });
  await pop(1, image('img:c'));
  await secondsAgo(0);
  expect(await start(other)).toMatchObject({ unknown: 'nobody-asks' });
  const [claimed] = await pop(1);
  expect(await start(claimed!.id)).toMatchObject({ unknown: 'not-queued' });
  await queue.giveBack([{ id: claimed!.id, leaseId: claimed!.leaseId }]);
});

test('a pop that found nothing asked; one without a filter asked for every image', async () => {
  const { pop, push, rates, start } = await startsUnderTest();
  await pop(1, image('img:a'));
  await rates.save();
  const a = await push(1, 'img:a');
  const b = await push(1, 'img:b');
  expect(await start(a)).toMatchObject({ unknown: 'none-handed-out', asked_at: expect.any(String) });
  expect(await start(b)).toMatchObject({ unknown: 'nobody-asks', asked_at: null });
});

test('clients that name images as they like fill neither memory nor table, and do not displace what is handed out', async () => {
  const { sql, push, pop, rates } = await startsUnderTest();
  await push(5, 'img:real');
  for (let n = 0; n < 120; n += 1) await pop(1, image(`img:none-${n}`));
  await pop(1, image('x'.repeat(2_000)));
  await pop(5, image('img:real'));
  await rates.save();
  const rows = await sql<{ image: string; tasks: number }[]>`SELECT image, tasks FROM image_pops`;
  expect(rows).toHaveLength(100);
  expect(rows).toContainEqual({ image: 'img:real', tasks: 5 });
  expect(rows).toContainEqual({ image: '', tasks: 5 });
});

test('a queue tells when it is empty at the rate of the last minutes', async () => {
  const { inspection, push, pop, rates, secondsAgo } = await startsUnderTest();
  await push(300, 'img:a');
  await pop(99);
  await secondsAgo(98);
  await pop(1);
  await rates.save();
  const [boefje, report] = await inspection.overview(['boefje', 'report']);
  expect(boefje!.flow.per_second).toBeCloseTo(1, 1);
  const left = (Date.parse(boefje!.flow.estimated_empty_at!) - Date.now()) / 1_000;
  expect(left).toBeGreaterThan(180);
  expect(left).toBeLessThan(220);
  expect(report!.flow).toEqual({
    per_second: null,
    estimated_empty_at: null,
    asked_at: null,
    out_seconds_ago: null,
  });
});

test('under fair-share a task starts no earlier than virtual time reaches its rank: others come later and go before', async () => {
  const { sql, push, pop, rates, start } = await startsUnderTest();
  const last = await push(200, 'img:a');
  await pop(100);
  await rates.save();
  // At the rate of its image it is 10 s away, in ranks 500 s.
  await sql`UPDATE queue SET created_at = created_at - interval '1 hour'`;
  await sql`DELETE FROM image_pops WHERE image = ''`;
  await sql`UPDATE image_pops SET until = now() - interval '11 seconds', rank = 1000`;
  await sql`INSERT INTO image_pops SELECT scheduler, image, now() - interval '1 second', 0, 0, true, 2000 FROM image_pops`;
  await sql`INSERT INTO image_pops SELECT scheduler, '', until, tasks, any_image, true, rank FROM image_pops`;
  await sql`UPDATE queue SET rank = 52000 WHERE id = ${last}`;
  const byCount = secondsUntil(await start(last));
  await sql`INSERT INTO virtual_times VALUES ('boefje', 'img:a', 2000)`;
  const byRank = secondsUntil(await start(last));
  expect(byCount).toBeLessThan(20);
  expect(byRank).toBeGreaterThan(450);
  expect(byRank).toBeLessThan(550);
});

test('what no estimate reads any more goes, but for the last one of each image that asked', async () => {
  const { sql } = await startsUnderTest();
  await sql`
    INSERT INTO image_pops (scheduler, image, until, tasks, any_image, asked)
    SELECT 'boefje', image, now() - age::interval, 1, 0, asked FROM (VALUES
      ('img:a', '9 minutes', true), ('img:a', '11 minutes', true), ('img:a', '2 hours', false),
      ('img:b', '1 hour', true), ('img:b', '2 hours', true), ('img:c', '8 days', true)) AS v (image, age, asked)`;
  await sql.unsafe(statement('pop/forget-image-pops'), []);
  const left =
    await sql`SELECT image, extract(minute FROM now() - until)::integer AS minutes FROM image_pops ORDER BY image`;
  expect(left).toEqual([
    { image: 'img:a', minutes: 9 },
    { image: 'img:b', minutes: 0 },
  ]);
});
