import { onTestFinished, expect, test } from 'vitest';
import { type PauseKey, Pauses } from '../../src/queue/maintenance/pauses.ts';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import { boefjeTask, parse, popRequest, queueUnderTest, type QueueUnderTest } from '../support/queue.ts';

const key = (fields: Partial<PauseKey>): PauseKey => ({
  scheduler: 'boefje',
  organisation: null,
  plugin: null,
  ...fields,
});

function pausesOf({ sql, queue }: QueueUnderTest): Pauses {
  const pauses = new Pauses({
    ranksFairly: async () => false,
    sql,
    onResumed: (scheduler, count) => queue.wake(scheduler, count),
    onError: (error) => {
      throw error;
    },
  });
  onTestFinished(() => pauses.stop());
  return pauses;
}

const organisationsOf = (tasks: readonly ClaimedTask[]) => tasks.map((task) => parse(task).organisation);
const popAll = ({ queue }: QueueUnderTest, scheduler = 'boefje') => queue.pop(scheduler, popRequest({ limit: 100 }));

test('what is paused is not handed out, by any supervisor, and what is pushed meanwhile is not either', async () => {
  const under = await queueUnderTest();
  const pauses = pausesOf(under);
  await under.queue.push('boefje', [boefjeTask('a', { organisation: 'aa' }), boefjeTask('b', { organisation: 'bb' })]);
  expect(await pauses.pause(key({ organisation: 'aa' }), 'an operator')).toEqual({ moved: 1, complete: true });
  await under
    .another()
    .push('boefje', [boefjeTask('c', { organisation: 'aa' }), boefjeTask('d', { organisation: 'bb' })]);
  expect(organisationsOf(await popAll(under))).toEqual(['bb', 'bb']);
  expect(await pauses.list()).toMatchObject([{ organisation: 'aa', plugin: null, pausedBy: 'an operator' }]);
});

test('a pop that waits is fed as soon as a pause ends', async () => {
  const under = await queueUnderTest();
  const pauses = pausesOf(under);
  await pauses.pause(key({}), null);
  await under.queue.push('boefje', [boefjeTask('a')]);
  const popped = under.another().pop('boefje', popRequest({ waitMs: 20_000 }));
  const here = under.queue.pop('boefje', popRequest({ waitMs: 20_000 }));
  await expect.poll(() => under.queue.parked().get('boefje')).toBe(1);
  expect(await pauses.resume(key({}))).toEqual({ moved: 1, complete: true });
  expect(await Promise.race([here, popped])).toHaveLength(1);
});

test('a task that two pauses hold stays until both have ended', async () => {
  const under = await queueUnderTest();
  const pauses = pausesOf(under);
  await under.queue.push('boefje', [boefjeTask('a', { boefje: 'nmap' }), boefjeTask('a', { boefje: 'dns-records' })]);
  await pauses.pause(key({ organisation: 'aa' }), null);
  await pauses.pause(key({ organisation: 'aa', plugin: 'nmap' }), null);
  expect(await pauses.resume(key({ organisation: 'aa' }))).toEqual({ moved: 1, complete: true });
  expect(await popAll(under)).toHaveLength(1);
  expect(await pauses.resume(key({ organisation: 'aa', plugin: 'nmap' }))).toEqual({ moved: 1, complete: true });
  expect(await popAll(under)).toHaveLength(1);
});

test('what goes back to a paused queue is held: a release, a retry, an expired lease', async () => {
  const under = await queueUnderTest({ gracePeriodSeconds: 60 });
  const pauses = pausesOf(under);
  await under.queue.push('boefje', [boefjeTask('a'), boefjeTask('b')]);
  const [first, second] = await under.queue.pop('boefje', popRequest({ limit: 2, leaseMs: 1 }));
  await pauses.pause(key({}), null);
  await under.queue.patch([{ id: first!.id, via: 'nats', leaseId: first!.leaseId, status: 'queued' }]);
  await expect.poll(() => under.queue.sweep()).toBeGreaterThan(0);
  expect(await under.sql`SELECT id FROM queue WHERE held ORDER BY id`).toEqual(
    [first!.id, second!.id].sort().map((id) => ({ id })),
  );
  expect(await popAll(under)).toEqual([]);
});

test('rows that a push of before the pause, or of before its end, left behind are moved by the keeper', async () => {
  const under = await queueUnderTest();
  const pauses = pausesOf(under);
  await under.queue.push('boefje', [boefjeTask('a'), boefjeTask('b', { organisation: 'bb' })]);
  await pauses.pause(key({ organisation: 'aa' }), null);
  await pauses.pause(key({ organisation: 'bb' }), null);
  await pauses.resume(key({ organisation: 'bb' }));
  // As if both statements had begun before.
  await under.sql`UPDATE queue SET held = NOT held`;
  await pauses.keep();
  // For some seconds it leaves that to the command that paused or resumed, which counts the rows it moves.
  expect(await under.sql`SELECT organisation FROM queue WHERE NOT held`).toEqual([{ organisation: 'aa' }]);
  await under.sql`UPDATE pauses SET since = since - interval '6 seconds', ended_at = ended_at - interval '6 seconds'`;
  await pauses.keep();
  expect(organisationsOf(await popAll(under))).toEqual(['bb']);
});

test('a pause is of one scheduler: others with the same organisation go on', async () => {
  const under = await queueUnderTest();
  const pauses = pausesOf(under);
  await pauses.pause(key({ scheduler: 'report', organisation: 'aa' }), null);
  await under.queue.push('boefje', [boefjeTask('a')]);
  expect(await popAll(under)).toHaveLength(1);
});
