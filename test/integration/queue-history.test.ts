import { describe, expect, test } from 'vitest';
import { createQueueInspection } from '../../src/queue/lists/inspection.ts';
import type { ClaimedTask, TaskPatch } from '../../src/queue/queue.ts';
import { byNats, byRest, claimOne, code } from '../support/patches.ts';
import { boefjeTask, popRequest, type QueueUnderTest, queueUnderTest } from '../support/queue.ts';

const noRoute = { code: 'no-route', message: 'no route to host', detail: 'a\nb' };

const failing = (task: ClaimedTask, error = noRoute): TaskPatch => ({ ...byNats(task, 'failed'), error });

async function historyOf({ sql }: Pick<QueueUnderTest, 'sql'>, id: string) {
  const [task] = await createQueueInspection(sql).details([id]);
  return task!;
}

const expire = ({ sql }: Pick<QueueUnderTest, 'sql'>) => sql`UPDATE leases SET until = now() - interval '10 seconds'`;

describe('a task says how its attempts went', () => {
  test('worker, times and error of the last attempt, from its claim on; an error over NATS in a set as alone', async () => {
    const under = await queueUnderTest();
    const { queue } = under;
    const [one, other] = [await claimOne(queue, 'nats', 'a'), await claimOne(queue, 'nats', 'b')];
    const claimed = await historyOf(under, one.id);
    expect(claimed).toMatchObject({ worker: 'worker-1', started_at: null, ended_at: null, error: null, changed: null });
    await queue.patch([byNats(one, 'running'), byNats(other, 'running')]);
    const running = await historyOf(under, one.id);
    expect(running).toMatchObject({ worker: 'worker-1', claimed_at: claimed.claimed_at, ended_at: null });
    await queue.patch([failing(one), byNats(other, 'completed')]);
    const failed = await historyOf(under, one.id);
    expect(failed).toMatchObject({ status: 'failed', worker: 'worker-1', error: noRoute, attempts_before: [] });
    expect(failed.claimed_at).toBe(claimed.claimed_at);
    expect(failed.started_at).toBe(running.started_at);
    expect([failed.claimed_at! < failed.started_at!, failed.started_at! < failed.ended_at!]).toEqual([true, true]);
    const completed = await historyOf(under, other.id);
    expect(completed).toMatchObject({ status: 'completed', worker: 'worker-1', error: null, attempts_before: [] });
    expect(completed.ended_at).toBe(completed.modified_at);
  });

  test('over REST too; the same report again moves neither the end nor the error', async () => {
    const under = await queueUnderTest();
    const { queue } = under;
    await queue.push('boefje', [boefjeTask('ooi')]);
    const [task] = await queue.pop('boefje', popRequest({ via: 'rest', worker: null, holder: 'token runner' }));
    await queue.patch([byRest(task!.id, { status: 'running' })]);
    await queue.patch([byRest(task!.id, { status: 'failed', error: noRoute })]);
    const once = await historyOf(under, task!.id);
    expect(once).toMatchObject({ worker: 'token runner', error: noRoute });
    expect(once.started_at).not.toBeNull();
    expect(code((await queue.patch([byRest(task!.id, { status: 'failed' })]))[0])).toBe('done');
    const { modified_at: moved, ...same } = await historyOf(under, task!.id);
    const { modified_at: before, ...first } = once;
    const { streak: _one, ...rest } = same;
    const { streak: _other, ...expected } = first;
    expect([rest, moved > before]).toEqual([expected, true]);
  });

  test('attempts that did not complete are kept in order, the last ten; one that reached no worker is none', async () => {
    const under = await queueUnderTest({ maxAttempts: 100 });
    const { queue } = under;
    const { id, leaseId } = await claimOne(queue);
    await queue.giveBack([{ id, leaseId }]);
    const again = async () => (await queue.pop('boefje', popRequest()))[0]!;
    await queue.patch([failing(await again())]);
    await queue.patch([byRest(id, { status: 'queued', doer: 'ann', why: 'the scanner is back' })]);
    await queue.patch([byNats(await again(), 'queued')]);
    await queue.patch([byNats(await again(), 'running')]);
    await expire(under);
    await queue.sweep();
    await again();
    await expire(under);
    await queue.sweep();
    const task = await historyOf(under, id);
    expect(task).toMatchObject({ worker: null, claimed_at: null, started_at: null, ended_at: null, error: null });
    expect(task.attempts_before).toMatchObject([
      { outcome: 'failed', worker: 'worker-1', error: { code: 'no-route', message: 'no route to host' } },
      { outcome: 'given-back', worker: 'worker-1' },
      { outcome: 'expired', error: { code: 'lease-expired' } },
      { outcome: 'expired', error: { code: 'not-begun' } },
    ]);
    expect(task.attempts_before[0]!.error).not.toHaveProperty('detail');
    expect(task.attempts_before[2]!.started_at).toBeDefined();
    for (let more = 0; more < 9; more += 1) await queue.patch([byNats(await again(), 'queued')]);
    const { attempts_before: last } = await historyOf(under, id);
    expect(last.map(({ outcome }) => outcome)).toEqual(['expired', ...Array<string>(9).fill('given-back')]);
  });

  test('a lease that expires for the last time, and a task that gives way to its twin, say why themselves', async () => {
    const under = await queueUnderTest({ maxAttempts: 1 });
    const { queue } = under;
    const lost = await claimOne(queue, 'nats', 'lost');
    await queue.patch([byNats(lost, 'running')]);
    await expire(under);
    await queue.sweep();
    const why = { by: 'rota', why: 'lease-expired' };
    expect(await historyOf(under, lost.id)).toMatchObject({
      status: 'failed',
      worker: 'worker-1',
      error: { code: 'lease-expired' },
      changed: { action: 'fail', ...why },
    });
    const twin = await claimOne(queue, 'nats', 'twin');
    await queue.push('boefje', [boefjeTask('twin')]);
    await expire(under);
    await queue.sweep();
    expect(await historyOf(under, twin.id)).toMatchObject({
      status: 'cancelled',
      error: { code: 'superseded' },
      changed: { action: 'cancel', by: 'rota', why: 'superseded' },
    });
  });

  test('who cancelled, retried and released, and why', async () => {
    const under = await queueUnderTest();
    const { queue } = under;
    const { id } = await claimOne(queue, 'rest');
    const changes = [];
    for (const [status, why] of [
      ['queued', undefined],
      ['cancelled', 'not now'],
      ['queued', 'now'],
    ] as const) {
      await queue.patch([byRest(id, { status, doer: 'ann', ...(why === undefined ? {} : { why }) })]);
      changes.push((await historyOf(under, id)).changed);
    }
    expect(changes).toMatchObject([
      { action: 'release', by: 'ann' },
      { action: 'cancel', by: 'ann', why: 'not now' },
      { action: 'retry', by: 'ann', why: 'now' },
    ]);
    expect(changes[0]).not.toHaveProperty('why');
    const task = await historyOf(under, id);
    expect(task.attempts_before).toMatchObject([{ outcome: 'released' }]);
  });

  test('no index names what records it: changes of status stay HOT', async () => {
    const { sql } = await queueUnderTest();
    const added = ['worker', 'claimed_at', 'started_at', 'ended_at', 'error', 'attempts_before', 'changed'];
    const rows = await sql`
      SELECT attname AS name, EXISTS (
        SELECT FROM pg_depend d JOIN pg_index i ON i.indexrelid = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum) AS indexed
      FROM pg_attribute a WHERE attrelid = 'tasks'::regclass AND attname = ANY (${[...added, 'hash']}::text[]) ORDER BY attname`;
    expect(rows.filter((row) => row['indexed']).map((row) => row['name'] as string)).toEqual(['hash']);
    expect(rows).toHaveLength(added.length + 1);
  });
});
