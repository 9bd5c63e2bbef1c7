import { describe, expect, test } from 'vitest';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import { on } from '../../src/telemetry/events.ts';
import { byNats, byRest, claimOne, code, taskOf } from '../support/patches.ts';
import { popRequest, queueUnderTest } from '../support/queue.ts';

/** A request whose answer was lost comes again; docs/queue-semantics.md, "Repeats". */

describe('a patch that comes again', () => {
  test.each(['completed', 'failed', 'cancelled', 'queued'] as const)(
    'with the lease that it ended, %s, is answered as the first time and changes nothing',
    async (status) => {
      const { queue, sql } = await queueUnderTest();
      const task = await claimOne(queue);
      await queue.patch([byNats(task, 'running')]);
      const [first] = await queue.patch([byNats(task, status)], { answersTasks: true });
      const before = await sql`SELECT * FROM tasks`;
      const changes: unknown[] = [];
      const off = on('tasks.changed', (event) => changes.push(event));
      const [again] = await queue.patch([byNats(task, status)], { answersTasks: true });
      off();
      expect(code(first)).toBe('done');
      expect(again).toEqual(first);
      expect(changes).toEqual([]);
      expect(await sql`SELECT * FROM tasks`).toEqual(before);
      expect(await sql`SELECT FROM queue`).toHaveLength(status === 'queued' ? 1 : 0);
    },
  );

  test('in a set is done, beside those that come for the first time and those whose lease is lost', async () => {
    const { queue } = await queueUnderTest();
    const tasks: ClaimedTask[] = [];
    for (const ooi of ['a', 'b', 'c']) tasks.push(await claimOne(queue, 'nats', ooi));
    const [done, fresh, lost] = tasks as [ClaimedTask, ClaimedTask, ClaimedTask];
    await queue.patch([byNats(done, 'completed'), byRest(lost.id, { status: 'cancelled' })]);
    const set = [done, fresh, lost].map((task) => byNats(task, 'completed'));
    expect((await queue.patch(set)).map(code)).toEqual(['done', 'done', 'LEASE_LOST']);
    expect((await queue.patch(set)).map(code)).toEqual(['done', 'done', 'LEASE_LOST']);
  });

  test('after another has claimed what was given back takes nothing away from it, over NATS or REST', async () => {
    const { queue, sql } = await queueUnderTest();
    const task = await claimOne(queue);
    for (const via of ['nats', 'rest'] as const) {
      await queue.patch([byNats(task, 'queued')]);
      const [other] = await queue.pop('boefje', popRequest({ via }));
      const leases = await sql`SELECT * FROM leases`;
      const [again] = await queue.patch([byNats(task, 'queued')], { answersTasks: true });
      expect(taskOf(again)).toMatchObject({ id: task.id, status: 'dispatched' });
      expect(await sql`SELECT * FROM leases`).toEqual(leases);
      expect((await queue.patch([byNats(task, 'completed')])).map(code)).toEqual(['LEASE_LOST']);
      if (via === 'rest') return;
      Object.assign(task, other);
    }
  });

  test('with another lease, another status, or after a retry is of a lease that is lost', async () => {
    const { queue } = await queueUnderTest();
    const first = await claimOne(queue);
    await queue.patch([byNats(first, 'queued')]);
    const [second] = (await queue.pop('boefje', popRequest())) as [ClaimedTask];
    await queue.patch([byNats(second, 'completed')]);
    expect((await queue.patch([byNats(first, 'completed')])).map(code)).toEqual(['LEASE_LOST']);
    for (const status of ['failed', 'queued', 'running'] as const) {
      expect((await queue.patch([byNats(second, status)])).map(code)).toEqual(['LEASE_LOST']);
    }
    await queue.patch([byRest(first.id, { status: 'queued' })]);
    for (const status of ['completed', 'queued'] as const) {
      expect((await queue.patch([byNats(second, status)])).map(code)).toEqual(['LEASE_LOST']);
    }
  });

  test('from a worker whose lease expired is no repeat: Rota ended that lease, not its holder', async () => {
    const { queue, sql } = await queueUnderTest({ maxAttempts: 2 });
    const task = await claimOne(queue);
    await sql`UPDATE leases SET until = now() - interval '1 second'`;
    await queue.sweep();
    expect((await queue.patch([byNats(task, 'queued')])).map(code)).toEqual(['LEASE_LOST']);
    const [second] = (await queue.pop('boefje', popRequest())) as [ClaimedTask];
    await sql`UPDATE leases SET until = now() - interval '1 second'`;
    await queue.sweep();
    expect((await queue.patch([byNats(second, 'failed')])).map(code)).toEqual(['LEASE_LOST']);
  });
});
