import { describe, expect, test } from 'vitest';
import type { Sql } from '../../src/postgres/pool.ts';
import type { RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { next } from '../../src/telemetry/events.ts';
import { byNats, byRest, claimOne, code } from '../support/patches.ts';
import type { ClaimedTask, TaskPatch } from '../../src/queue/queue.ts';
import { popRequest, queueUnderTest } from '../support/queue.ts';

/** Tasks whose holder never reported: the answer was lost, or a runner died with the task in its local queue. */

const lapse = async (queue: RunningTaskQueue, sql: Sql) => {
  await sql`UPDATE leases SET until = now() - interval '1 second'`;
  expect(await queue.sweep()).toBe(1);
};
const pop = async (queue: RunningTaskQueue, via: 'nats' | 'rest' = 'rest') =>
  (await queue.pop('boefje', popRequest({ via })))[0];
const status = async (queue: RunningTaskQueue, id: string) =>
  (JSON.parse((await queue.get(id))!) as { status: string }).status;
/** A patch by the holder. */
const byHolder = (via: 'nats' | 'rest', task: ClaimedTask, status: TaskPatch['status'] & string) =>
  via === 'nats' ? byNats(task, status) : byRest(task.id, { status });

describe.each(['rest', 'nats'] as const)('a claim over %s that no worker began', (via) => {
  test('is no attempt the first two times; then it is one, so that what no runner can begin fails in the end', async () => {
    const { queue, sql } = await queueUnderTest({ maxAttempts: 3 });
    const { id, attempts } = await claimOne(queue, via);
    const seen = [attempts];
    for (let time = 2; time <= 5; time += 1) {
      await lapse(queue, sql);
      expect(await status(queue, id)).toBe('queued');
      seen.push((await pop(queue, via))!.attempts);
    }
    expect(seen).toEqual([1, 1, 1, 2, 3]);
    const expired = next('leases.expired');
    await lapse(queue, sql);
    expect(await expired).toMatchObject({ requeued: 0, failed: 1 });
    expect(await status(queue, id)).toBe('failed');
    expect(await sql`SELECT reason FROM tasks`).toEqual([{ reason: 'lease-expired' }]);
  });

  test('fails nothing before the third time, where one attempt is all there is', async () => {
    const { queue, sql } = await queueUnderTest({ maxAttempts: 1 });
    const { id } = await claimOne(queue, via);
    for (let time = 1; time <= 2; time += 1) {
      await lapse(queue, sql);
      expect((await pop(queue, via))!.id).toBe(id);
    }
    await lapse(queue, sql);
    expect(await status(queue, id)).toBe('failed');
  });

  test('is counted from zero after a retry', async () => {
    const { queue, sql } = await queueUnderTest({ maxAttempts: 1 });
    let held = await claimOne(queue, via);
    const { id } = held;
    for (let time = 1; time <= 2; time += 1) {
      await lapse(queue, sql);
      held = (await pop(queue, via))!;
    }
    await queue.patch([byHolder(via, held, 'failed')]);
    await queue.patch([byRest(id, { status: 'queued' })]);
    await pop(queue, via);
    await lapse(queue, sql);
    expect(await status(queue, id)).toBe('queued');
  });

  test('does not report again how long the task has waited since it was made', async () => {
    const { queue, sql } = await queueUnderTest();
    const first = next('claim.completed');
    await claimOne(queue, via);
    expect((await first).waited).toHaveLength(1);
    await lapse(queue, sql);
    const second = next('claim.completed', ({ rows }) => rows > 0);
    await pop(queue, via);
    expect((await second).waited).toEqual([]);
  });

  test('gives way to a twin that is queued, as every expired lease does', async () => {
    const { queue, sql } = await queueUnderTest();
    const { id } = await claimOne(queue, via);
    const [twin] = await queue.push('boefje', [{ ...(await taskOf(queue, id)), priority: 2 }]);
    expect(twin).toMatchObject({ outcome: 'queued' });
    await lapse(queue, sql);
    expect(await status(queue, id)).toBe('cancelled');
  });
});

describe('an attempt is', () => {
  const patch = async (queue: RunningTaskQueue, change: TaskPatch) =>
    expect((await queue.patch([change])).map(code)).toEqual(['done']);
  test.each([
    [
      'a claim over REST whose task runs',
      'rest',
      (queue, task) => patch(queue, byRest(task.id, { status: 'running' })),
    ],
    ['one whose task its runner has patched', 'rest', (queue, task) => patch(queue, byRest(task.id, { priority: 3 }))],
    ['one over NATS whose task runs', 'nats', (queue, task) => patch(queue, byNats(task, 'running'))],
    ['one whose worker says that it has not begun', 'nats', (queue, task) => patch(queue, byNats(task, 'dispatched'))],
    ['one whose worker sends heartbeats', 'nats', (queue, task) => queue.heartbeat([task], null)],
  ] satisfies [string, 'nats' | 'rest', (queue: RunningTaskQueue, task: ClaimedTask) => Promise<unknown>][])(
    '%s',
    async (_what, via, speak) => {
      const { queue, sql } = await queueUnderTest({ maxAttempts: 2 });
      let task = await claimOne(queue, via);
      for (const attempts of [1, 2]) {
        await speak(queue, task);
        expect(await sql`SELECT attempts, unbegun FROM tasks`).toEqual([{ attempts, unbegun: 0 }]);
        await lapse(queue, sql);
        if (attempts === 1) task = (await pop(queue, via))!;
      }
      expect(await status(queue, task.id)).toBe('failed');
    },
  );

  test('the one that ended after its runner had come late', async () => {
    const { queue, sql } = await queueUnderTest({ maxAttempts: 1 });
    const { id } = await claimOne(queue, 'rest');
    await lapse(queue, sql);
    // The queue has it again; a runner that was slow begins, and no other runner gets it.
    expect((await queue.patch([byRest(id, { status: 'running' })])).map(code)).toEqual(['done']);
    expect(await pop(queue)).toBeUndefined();
    expect((await queue.patch([byRest(id, { status: 'completed' })])).map(code)).toEqual(['done']);
    expect((await queue.patch([byRest(id, { status: 'running' })])).map(code)).toEqual(['CONFLICT']);
  });

  test('the third that no worker began, whether the two before came over NATS or REST', async () => {
    const { queue, sql } = await queueUnderTest({ maxAttempts: 2 });
    const first = await claimOne(queue, 'nats');
    await queue.patch([byNats(first, 'queued')]);
    for (const via of ['rest', 'nats', 'nats'] as const) {
      expect((await pop(queue, via))!.attempts).toBe(2);
      await lapse(queue, sql);
    }
    expect(await status(queue, first.id)).toBe('failed');
  });
});

async function taskOf(queue: RunningTaskQueue, id: string) {
  const { organisation, data } = JSON.parse((await queue.get(id))!) as { organisation: string; data: never };
  return { organisation, data };
}
