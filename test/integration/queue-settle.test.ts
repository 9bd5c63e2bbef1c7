import { describe, expect, test } from 'vitest';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import { type TaskStatus, taskStatuses } from '../../src/tasks/task.ts';
import { taskTypeOf } from '../../src/tasks/data.ts';
import { byNats, byRest, claimOne, code, taskOf } from '../support/patches.ts';
import { boefjeTask, ooiOf, popRequest, queueUnderTest } from '../support/queue.ts';

/** docs/queue-semantics.md: of a finished task only a retry, and the same again. */
const mayFollow = (from: TaskStatus, to: TaskStatus) =>
  !['completed', 'failed', 'cancelled'].includes(from) || to === 'queued' || to === from;

describe('patch', () => {
  test('lessons 1: a finished task may only be retried: the transition table, in every one of its 49 cells', async () => {
    const { queue, sql } = await queueUnderTest();
    const cells = taskStatuses.flatMap((from) => taskStatuses.map((to) => ({ from, to })));
    const pushed = await queue.push(
      'boefje',
      cells.map(() => boefjeTask(undefined, { priority: 2 })),
    );
    const ids = pushed.map((outcome) => (outcome as { id: string }).id);
    // From queued every state may be entered by a patch: that brings each task to where its cell begins.
    await queue.patch(cells.map(({ from }, index) => byRest(ids[index]!, { status: from })));
    const outcomes = await queue.patch(cells.map(({ to }, index) => byRest(ids[index]!, { status: to })));
    expect(outcomes.map(code)).toEqual(cells.map(({ from, to }) => (mayFollow(from, to) ? 'done' : 'CONFLICT')));
    // A queue row exactly where the task is queued, a lease exactly where it is under way.
    const [broken] = await sql`
      SELECT count(*)::int AS n FROM tasks t
      WHERE (t.status = 'QUEUED') <> EXISTS (SELECT FROM queue q WHERE q.id = t.id)
        OR (t.status IN ('DISPATCHED', 'RUNNING')) <> EXISTS (SELECT FROM leases l WHERE l.task_id = t.id)
        OR (t.status IN ('FAILED', 'CANCELLED'))
          <> EXISTS (SELECT FROM rare_outcomes o WHERE o.task_id = t.id AND o.status = t.status)`;
    expect(broken).toEqual({ n: 0 });
  });

  test('the database knows the same transitions and the same columns of data as the code', async () => {
    const { sql } = await queueUnderTest();
    for (const from of taskStatuses) {
      for (const to of taskStatuses) {
        const [row] = await sql.unsafe(
          `SELECT rota_may_follow('${from.toUpperCase()}'::taskstatus, '${to.toUpperCase()}'::taskstatus) AS may`,
        );
        expect([from, to, row!['may']]).toEqual([from, to, mayFollow(from, to)]);
      }
    }
    const samples: [string, Record<string, unknown>][] = [
      ['boefje', boefjeTask('o', { image: 'i', group: 'g' }).data],
      ['normalizer', { normalizer: { id: 'n' }, raw_data: { id: 'r' } }],
      ['report', { organisation_id: 'aa', report_recipe_id: 'recipe' }],
      ['another', { anything: 1 }],
    ];
    for (const [type, data] of samples) {
      const { plugin, image, deduplicationKey } = taskTypeOf(type).columns(data);
      const [row] = await sql`SELECT * FROM rota_queue_columns(${type}, ${sql.json(data as never)})`;
      expect(row).toEqual({ plugin, image, deduplication_key: deduplicationKey });
    }
  });

  test('patches of one task sent together are made one after the other', async () => {
    const { queue } = await queueUnderTest();
    const task = await claimOne(queue);
    const patches = [byNats(task, 'running'), byNats(task, 'completed')];
    const outcomes = await queue.patch(patches, { answersTasks: true });
    expect(outcomes.map((outcome) => taskOf(outcome).status)).toEqual(['running', 'completed']);
  });

  test('the same status again moves modified_at and nothing else', async () => {
    const { queue } = await queueUnderTest();
    const task = await claimOne(queue);
    const [first] = await queue.patch([byNats(task, 'running')], { answersTasks: true });
    const [second] = await queue.patch([byNats(task, 'running')], { answersTasks: true });
    const { modified_at: before, ...rest } = taskOf(first);
    const { modified_at: after, ...same } = taskOf(second);
    expect(same).toEqual(rest);
    expect(after > before).toBe(true);
  });

  test('a retry starts its attempts again; it is refused while a twin is queued', async () => {
    const { queue } = await queueUnderTest();
    const task = await claimOne(queue);
    await queue.patch([byNats(task, 'failed')]);
    await queue.push('boefje', [boefjeTask('ooi', { priority: 5 })]);
    expect(code((await queue.patch([byRest(task.id, { status: 'queued' })]))[0])).toBe('CONFLICT');
    await queue.pop('boefje', popRequest());
    expect(code((await queue.patch([byRest(task.id, { status: 'queued' })]))[0])).toBe('done');
    expect(await queue.pop('boefje', popRequest())).toMatchObject([{ id: task.id, attempts: 1 }]);
  });

  test('priority, organisation and data change the queue at once', async () => {
    const { queue } = await queueUnderTest();
    const [first, second] = await queue.push('boefje', [
      boefjeTask('first', { priority: 3 }),
      boefjeTask('second', { priority: 4 }),
    ]);
    const { data } = boefjeTask('first', { image: 'other' });
    await queue.patch([
      byRest((second as { id: string }).id, { priority: 2, organisation: 'bb' }),
      byRest((first as { id: string }).id, { data }),
    ]);
    const inBb = { filters: [{ column: 'organisation', operator: 'eq' as const, value: 'bb' }] };
    const other = {
      filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'eq' as const, value: 'other' }],
    };
    expect((await queue.pop('boefje', popRequest({ filters: inBb }))).map(ooiOf)).toEqual(['second']);
    expect((await queue.pop('boefje', popRequest({ filters: other }))).map(ooiOf)).toEqual(['first']);
  });

  test('of a set that its worker holds in part, that part is done, whatever each becomes', async () => {
    const { queue, sql } = await queueUnderTest();
    const tasks: ClaimedTask[] = [];
    for (const ooi of ['a', 'b', 'c', 'd', 'e']) tasks.push(await claimOne(queue, 'nats', ooi));
    const [first, second, third, lost, cancelled] = tasks;
    await queue.patch([byNats(lost!, 'queued'), byRest(cancelled!.id, { status: 'cancelled' })]);
    const unknown = { ...third!, id: '00000000-0000-4000-8000-000000000000' };
    const outcomes = await queue.patch([
      byNats(lost!, 'completed'),
      byNats(first!, 'running'),
      byNats(unknown, 'completed'),
      byNats(second!, 'completed'),
      byNats(cancelled!, 'completed'),
      byNats(third!, 'failed'),
    ]);
    expect(outcomes.map(code)).toEqual(['LEASE_LOST', 'done', 'NOT_FOUND', 'done', 'LEASE_LOST', 'done']);
    const rows = await sql`SELECT t.id, t.status, l.task_id IS NOT NULL AS leased, o.status AS remembered
      FROM tasks t LEFT JOIN leases l ON l.task_id = t.id LEFT JOIN rare_outcomes o ON o.task_id = t.id
      ORDER BY t.created_at`;
    expect(rows.map(({ status, leased, remembered }) => [status, leased, remembered])).toEqual([
      ['RUNNING', true, null],
      ['COMPLETED', false, null],
      ['FAILED', false, 'FAILED'],
      ['QUEUED', false, null],
      ['CANCELLED', false, 'CANCELLED'],
    ]);
  });

  test('an unknown task is not found, and does not spoil its neighbours', async () => {
    const { queue } = await queueUnderTest();
    const task = await claimOne(queue);
    const unknown = byRest('00000000-0000-4000-8000-000000000000', { status: 'failed' });
    expect((await queue.patch([unknown, byNats(task, 'running')])).map(code)).toEqual(['NOT_FOUND', 'done']);
  });
});
