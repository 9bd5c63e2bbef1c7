import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { NewTask } from '../../src/protocol/requests.ts';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import { on } from '../../src/telemetry/events.ts';
import { byNats, byRest, claimOne, code, taskOf } from '../support/patches.ts';
import { boefjeTask, popRequest, queueUnderTest } from '../support/queue.ts';

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

describe('a push that comes again with its id', () => {
  const pushed = (ooi = 'ooi', more: Partial<NewTask> = {}): NewTask & { id: string } => {
    const id = randomUUID();
    const task = boefjeTask(ooi, { id, ...more });
    return { ...task, id, data: { ...task.data, id } };
  };
  const again = { answersTasks: true, answersRepeats: true } as const;

  test.each(['queued', 'dispatched', 'completed', 'failed'] as const)(
    'is answered with its task where that is %s, and nothing is queued or counted',
    async (status) => {
      const { queue, sql } = await queueUnderTest();
      const task = pushed('ooi', { priority: 3 });
      const [first] = await queue.push('boefje', [task], again);
      if (status !== 'queued') {
        const [claimed] = await queue.pop('boefje', popRequest());
        if (status !== 'dispatched') await queue.patch([byNats(claimed!, status)]);
      }
      const events: unknown[] = [];
      const off = [
        on('tasks.queued', (event) => events.push(event)),
        on('tasks.refused', (event) => events.push(event)),
      ];
      const before = await sql`SELECT * FROM tasks`;
      const [second] = await queue.push('boefje', [task], again);
      for (const each of off) each();
      expect(second).toMatchObject({
        outcome: 'queued',
        id: task.id,
        scheduleId: (first as { scheduleId: string }).scheduleId,
        status,
      });
      expect(JSON.parse((second as { task: string }).task)).toMatchObject({ id: task.id, status });
      expect(events).toEqual([]);
      expect(await sql`SELECT * FROM tasks`).toEqual(before);
      expect(await sql`SELECT FROM queue`).toHaveLength(status === 'queued' ? 1 : 0);
    },
  );

  test('is refused where the content differs: organisation, data, priority or scheduler', async () => {
    const { queue } = await queueUnderTest();
    const task = pushed('ooi', { priority: 3 });
    await queue.push('boefje', [task]);
    await queue.pop('boefje', popRequest());
    const conflict = { outcome: 'failed', failure: { code: 'CONFLICT' } };
    const others = [
      { ...task, organisation: 'bb' },
      { ...task, data: { ...task.data, input_ooi: 'another' } },
      { ...task, priority: 4 },
    ];
    for (const other of others) expect(await queue.push('boefje', [other], again)).toMatchObject([conflict]);
    const { id, organisation } = task;
    expect(await queue.push('another', [{ id, organisation, data: task.data, priority: 3 }], again)).toMatchObject([
      conflict,
    ]);
  });

  test('is distinguished from a twin: the same content with another id stays refused', async () => {
    const { queue } = await queueUnderTest();
    await queue.push('boefje', [pushed()]);
    expect(await queue.push('boefje', [pushed()], again)).toMatchObject([
      { outcome: 'refused', reason: 'already-queued' },
    ]);
  });

  test('is answered in a set, beside what is new, and where the queue is full with it', async () => {
    const { queue } = await queueUnderTest({ maxSize: 2 });
    const [first, second] = [pushed('first', { priority: 3 }), pushed('second', { priority: 3 })];
    await queue.push('boefje', [first]);
    const outcomes = await queue.push('boefje', [first, second, pushed('third', { priority: 3 })], again);
    expect(outcomes).toMatchObject([
      { outcome: 'queued', id: first.id, status: 'queued' },
      { outcome: 'queued', id: second.id },
      { outcome: 'refused', reason: 'queue-full' },
    ]);
    expect(outcomes[1]).not.toHaveProperty('status');
  });

  test('at the same moment, through two supervisors, makes one task and is answered twice', async () => {
    const { queue, another, sql } = await queueUnderTest();
    const other = another();
    for (let round = 0; round < 20; round += 1) {
      const task = pushed(`ooi-${round}`, { priority: 3 });
      const both = await Promise.all([queue, other].map((each) => each.push('boefje', [task], again)));
      expect(both.flat()).toMatchObject([
        { outcome: 'queued', id: task.id },
        { outcome: 'queued', id: task.id },
      ]);
    }
    expect(await sql`SELECT FROM tasks`).toHaveLength(20);
  });

  test('and no priority is answered whatever a ranker made of it, fair-share too', async () => {
    const ranking = {
      policyOf: () => ({ fair: true, manualOnly: false }),
      rank: async (_scheduler: string, tasks: readonly unknown[]) => ({ ranks: tasks.map(() => 7) }),
    };
    const { queue } = await queueUnderTest({ ranking });
    const task = pushed();
    await queue.push('boefje', [task]);
    expect(await queue.push('boefje', [task], again)).toMatchObject([{ outcome: 'queued', status: 'queued' }]);
    await queue.pop('boefje', popRequest());
    expect(await queue.push('boefje', [task], again)).toMatchObject([{ outcome: 'queued', status: 'dispatched' }]);
  });

  test('over REST stays a conflict, as in mula', async () => {
    const { queue } = await queueUnderTest();
    const task = pushed();
    await queue.push('boefje', [task]);
    expect(await queue.push('boefje', [task])).toMatchObject([{ outcome: 'failed', failure: { code: 'CONFLICT' } }]);
  });
});
