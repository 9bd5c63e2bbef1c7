import { expect, test } from 'vitest';
import { LowWaterMark } from '../../src/queue/pop/marks.ts';
import { boefjeTask, ooiOf, popRequest, queueUnderTest } from '../support/queue.ts';

function unexpected(error: unknown): never {
  throw error;
}

/** Where claims begin, or null before the mark was ever raised. */
const markOf = 'SELECT rank::int FROM queue_floors';

test('the mark follows what was popped, and what is pushed before it is the next one popped', async () => {
  const { queue, sql } = await queueUnderTest();
  const mark = new LowWaterMark(sql, 'boefje', unexpected);
  await queue.push('boefje', [boefjeTask('first', { priority: 50 }), boefjeTask('last', { priority: 90 })]);
  await queue.pop('boefje', popRequest());
  await mark.raise();
  expect(await sql.unsafe(markOf)).toMatchObject([{ rank: 90 }]);

  await queue.push('boefje', [boefjeTask('manual', { priority: 1 })]);
  expect(await sql.unsafe(markOf)).toMatchObject([{ rank: 1 }]);
  const claimed = await queue.pop('boefje', popRequest({ limit: 5 }));
  expect(claimed.map(ooiOf)).toEqual(['manual', 'last']);
});

test('above an empty queue the mark waits for the next push', async () => {
  const { queue, sql } = await queueUnderTest();
  const mark = new LowWaterMark(sql, 'boefje', unexpected);
  await mark.raise();
  await queue.push('boefje', [boefjeTask('only', { priority: 7 })]);
  expect((await queue.pop('boefje', popRequest())).map(ooiOf)).toEqual(['only']);
});

test('a task that goes back to the queue takes the mark down to it', async () => {
  const { queue, sql } = await queueUnderTest();
  const mark = new LowWaterMark(sql, 'boefje', unexpected);
  await queue.push('boefje', [boefjeTask('early', { priority: 2 }), boefjeTask('late', { priority: 9 })]);
  const [early] = await queue.pop('boefje', popRequest());
  await mark.raise();
  await queue.patch([{ id: early!.id, leaseId: early!.leaseId, status: 'queued', via: 'nats' }]);
  expect((await queue.pop('boefje', popRequest())).map(ooiOf)).toEqual(['early']);
});

test('the end of a pause takes the mark down to what was held', async () => {
  const { queue, sql } = await queueUnderTest();
  const mark = new LowWaterMark(sql, 'boefje', unexpected);
  await queue.push('boefje', [boefjeTask('held', { priority: 2 }), boefjeTask('other', { priority: 9 })]);
  await sql`UPDATE queue SET held = true WHERE rank = 2`;
  await mark.raise();
  expect(await sql.unsafe(markOf)).toMatchObject([{ rank: 9 }]);
  await sql`UPDATE queue SET held = false WHERE rank = 2`;
  expect((await queue.pop('boefje', popRequest())).map(ooiOf)).toEqual(['held']);
});

test('a push that commits while the mark is being raised is not passed over', async () => {
  const { sql, queue } = await queueUnderTest();
  await queue.push('boefje', [boefjeTask('behind', { priority: 90 })]);
  const release = Promise.withResolvers<void>();
  const inserted = Promise.withResolvers<void>();
  // A slow push: its row is there, its transaction is not yet committed.
  const push = sql.begin(async (transaction) => {
    await transaction`
      INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation)
      VALUES ('boefje', 3, now(), gen_random_uuid(), 'slow', 'aa')`;
    inserted.resolve();
    await release.promise;
  });
  await inserted.promise;
  await new LowWaterMark(sql, 'boefje', unexpected).raise();
  release.resolve();
  await push;
  await new LowWaterMark(sql, 'boefje', unexpected).raise();
  expect(await sql.unsafe(markOf)).toMatchObject([{ rank: 3 }]);
});

test('a raise that fails is reported, and claims go on; one that only waited for pushes is not', async () => {
  const { sql, queue } = await queueUnderTest();
  const failures: unknown[] = [];
  const mark = new LowWaterMark(sql, 'boefje', (error) => failures.push(error));
  await sql.begin(async (pushing) => {
    await pushing`SELECT pg_advisory_xact_lock_shared(7682119, hashtext('boefje'))`;
    await mark.raise();
  });
  expect(failures).toEqual([]);
  await sql`ALTER TABLE queue_floors ADD CONSTRAINT broken CHECK (false)`;
  await mark.raise();
  expect(failures).toMatchObject([{ code: 'BAD_REQUEST', message: expect.stringContaining('broken') }]);
  await queue.push('boefje', [boefjeTask('next', { priority: 7 })]);
  expect((await queue.pop('boefje', popRequest())).map(ooiOf)).toEqual(['next']);
});

test('two supervisors that push, pop and raise at once pass over nothing', async () => {
  const { queue, sql, another } = await queueUnderTest();
  const queues = [queue, another()];
  const mark = new LowWaterMark(sql, 'boefje', unexpected);
  const total = 400;
  const popped: string[] = [];
  let pushed = 0;
  const pushing = queues.map(async (each, of) => {
    for (let n = 0; n < total / 4; n += 1) {
      // Ranks go down as often as up: every second push lands below the mark.
      const ranks = [1_000 - n, n + 2];
      await each.push(
        'boefje',
        ranks.map((priority, at) => boefjeTask(`${of}-${n}-${at}`, { priority })),
      );
      pushed += ranks.length;
    }
  });
  const popping = queues.map(async (each) => {
    while (popped.length < total) {
      popped.push(...(await each.pop('boefje', popRequest({ limit: 7, waitMs: 2_000 }))).map(ooiOf));
      await mark.raise();
    }
  });
  await Promise.all([...pushing, ...popping]);
  expect(pushed).toBe(total);
  expect(new Set(popped).size).toBe(total);
});
