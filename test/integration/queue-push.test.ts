import type { PushedSchedule } from '../../src/protocol/commands.ts';
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { NewTask } from '../../src/protocol/requests.ts';
import { boefjeTask, ooiOf, parse, popRequest, queueUnderTest } from '../support/queue.ts';
import type { Task } from '../../src/tasks/task.ts';

describe('push', () => {
  test('stores the task as the wire knows it: eleven keys, lower-case status, UTC timestamps with microseconds', async () => {
    const { queue } = await queueUnderTest();
    const [outcome] = await queue.push('boefje', [boefjeTask('Hostname|internet|mispo.es', { priority: 7 })]);
    expect(outcome).toMatchObject({ outcome: 'queued', scheduleId: expect.any(String) });
    const text = await queue.get((outcome as { id: string }).id);
    const task = JSON.parse(text!) as Task;
    expect(Object.keys(task)).toEqual([
      'id',
      'scheduler_id',
      'schedule_id',
      'organisation',
      'priority',
      'status',
      'type',
      'hash',
      'data',
      'created_at',
      'modified_at',
    ]);
    expect(task).toMatchObject({ scheduler_id: 'boefje', status: 'queued', priority: 7, data: { id: task.id } });
    expect(task.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  test('answers the tasks of a set where they fit into the room that there is, to the last character, and else none', async () => {
    const { queue } = await queueUnderTest();
    const generic = (n: number): NewTask => ({ organisation: 'a', data: { n, '': [1e21, 1e-9, '\u0001\n"é😀'] } });
    for (const [scheduler, make] of [
      ['boefje', () => boefjeTask()],
      ['s', generic],
    ] as const) {
      const push = (from: number, room: number) =>
        queue.push(scheduler, [make(from), make(from + 1)], { answersTasks: true, room });
      const textsOf = (outcomes: Awaited<ReturnType<typeof push>>) =>
        outcomes.map((outcome) => (outcome.outcome === 'queued' ? outcome.task : outcome.outcome));
      const texts = textsOf(await push(0, 1e9));
      const characters = texts.join('').length;
      expect(textsOf(await push(2, characters)).join('')).toHaveLength(characters);
      expect(textsOf(await push(4, 500))).toEqual([undefined, undefined]);
    }
  });

  test('queues a hash once, in one set and in a later one', async () => {
    const { queue } = await queueUnderTest();
    const twin = boefjeTask('ooi', { priority: 2 });
    const refused = { outcome: 'refused', reason: 'already-queued' };
    expect(await queue.push('boefje', [twin, twin])).toMatchObject([{ outcome: 'queued' }, refused]);
    expect(await queue.push('boefje', [twin])).toEqual([refused]);
    await queue.pop('boefje', popRequest());
    expect(await queue.push('boefje', [twin])).toMatchObject([{ outcome: 'queued' }]);
  });

  test('refuses what was decided before another session queued the same, even when that is handed out already', async () => {
    const { queue, another } = await queueUnderTest();
    const decided = [boefjeTask('ooi', { follows: null }), boefjeTask('other', { follows: null })];
    await queue.push('boefje', [decided[0]!]);
    const [first] = await queue.pop('boefje', popRequest());
    expect(await another().push('boefje', decided)).toMatchObject([
      { outcome: 'refused', reason: 'already-queued' },
      { outcome: 'queued' },
    ]);
    const anew = [boefjeTask('ooi', { follows: first!.id })];
    expect(await queue.push('boefje', anew)).toMatchObject([{ outcome: 'queued' }]);
  });

  test('keeps the order of a set within equal priorities', async () => {
    const { queue } = await queueUnderTest();
    const oois = Array.from({ length: 50 }, (_, index) => `ooi-${index}`);
    await queue.push(
      'boefje',
      oois.map((ooi) => boefjeTask(ooi, { priority: 5 })),
    );
    const claimed = await queue.pop('boefje', popRequest({ limit: 50 }));
    expect(claimed.map(ooiOf)).toEqual(oois);
  });

  test('keeps an id that task and data agree on, and replaces both where they differ', async () => {
    const { queue } = await queueUnderTest();
    const id = randomUUID();
    const agreed = boefjeTask('agreed', { id, priority: 2 });
    const differing = boefjeTask('differing', { id: randomUUID(), priority: 2 });
    const [kept, replaced] = await queue.push('boefje', [{ ...agreed, data: { ...agreed.data, id } }, differing]);
    expect(kept).toMatchObject({ outcome: 'queued', id });
    const fresh = (replaced as { id: string }).id;
    expect(fresh).not.toBe(differing.id);
    expect(JSON.parse((await queue.get(fresh))!)).toMatchObject({ id: fresh, data: { id: fresh } });
  });

  test('refuses a known id as a conflict and leaves the rest of the set alone', async () => {
    const { queue } = await queueUnderTest();
    const id = randomUUID();
    const push = (ooi: string) => {
      const task = boefjeTask(ooi, { id, priority: 2 });
      return { ...task, data: { ...task.data, id } };
    };
    await queue.push('boefje', [push('first')]);
    const outcomes = await queue.push('boefje', [push('second'), boefjeTask('third', { priority: 2 })]);
    expect(outcomes).toMatchObject([{ outcome: 'failed', failure: { code: 'CONFLICT' } }, { outcome: 'queued' }]);
  });

  test('one task that cannot be stored fails alone among pushes that share a statement', async () => {
    const { queue } = await queueUnderTest();
    const oois = ['a', 'b', 'null \u0000 byte', 'c', 'd'];
    const outcomes = await Promise.all(oois.map((ooi) => queue.push('boefje', [boefjeTask(ooi, { priority: 3 })])));
    expect(outcomes.map(([outcome]) => outcome!.outcome)).toEqual(['queued', 'queued', 'failed', 'queued', 'queued']);
    expect(outcomes[2]).toMatchObject([{ failure: { code: 'BAD_REQUEST' } }]);
  });

  test('says which field is malformed, and refuses a priority beyond 32 bits', async () => {
    const { queue } = await queueUnderTest();
    const outcomes = await queue.push('boefje', [
      { organisation: 'aa', data: { boefje: { id: '' }, organization: 'aa' }, priority: 1 },
      boefjeTask('ooi', { priority: 2 ** 31 }),
    ]);
    expect(outcomes).toMatchObject([
      { failure: { code: 'BAD_REQUEST', message: expect.stringContaining('boefje.id') } },
      { failure: { code: 'INVALID_REQUEST', message: expect.stringContaining('priority') } },
    ]);
  });

  test('a full queue takes manual scans only', async () => {
    const { queue } = await queueUnderTest({ maxSize: 2 });
    const push = (priorities: number[]) =>
      queue.push(
        'boefje',
        priorities.map((priority) => boefjeTask(undefined, { priority })),
      );
    const full = { outcome: 'refused', reason: 'queue-full' };
    expect(await push([5, 5, 5, 1])).toMatchObject([{ outcome: 'queued' }, { outcome: 'queued' }, full, {}]);
    expect(await push([5, 1])).toMatchObject([full, { outcome: 'queued' }]);
  });

  test('a large bound is as exact, by the roll-up and what is not folded into it, also while a pause holds some', async () => {
    const { queue, sql } = await queueUnderTest({ maxSize: 10_050 });
    const push = (count: number, organisation: string) =>
      queue.push(
        'boefje',
        Array.from({ length: count }, () => boefjeTask(undefined, { priority: 5, organisation })),
      );
    for (let set = 0; set < 10; set += 1) {
      await push(1_000, `org-${set % 3}`);
      if (set === 4) await queue.foldCounts();
    }
    await sql`UPDATE queue SET held = true WHERE organisation = 'org-1'`;
    const full = { outcome: 'refused', reason: 'queue-full' };
    expect((await push(51, 'org-2')).slice(-2)).toMatchObject([{ outcome: 'queued' }, full]);
    await queue.pop('boefje', popRequest({ limit: 2 }));
    expect(await push(3, 'org-1')).toMatchObject([{ outcome: 'queued' }, { outcome: 'queued' }, full]);
    await queue.foldCounts();
    expect(await push(1, 'org-1')).toMatchObject([full]);
  });

  test('ranks what brings no priority; a ranker that fails refuses those tasks only', async () => {
    const ranking = {
      policyOf: () => ({ fair: false, manualOnly: false }),
      rank: async (_scheduler: string, tasks: readonly { organisation: string; lastRunAt: number | null }[]) =>
        tasks.some(({ organisation }) => organisation === 'broken')
          ? { failure: { code: 'RANK_FAILED', message: 'no', retryable: true } }
          : { ranks: tasks.map(({ lastRunAt }) => 5_000_000_000 + (lastRunAt ?? 0)) },
    };
    const { queue } = await queueUnderTest({ ranking });
    const outcomes = await queue.push('boefje', [
      boefjeTask('later', { lastRunAt: 2 }),
      boefjeTask('sooner', { lastRunAt: 1 }),
      boefjeTask('x', { organisation: 'broken' }),
    ]);
    expect(outcomes).toMatchObject([{ outcome: 'queued' }, { outcome: 'queued' }, { reason: 'rank-failed' }]);
    const claimed = await queue.pop('boefje', popRequest({ limit: 3 }));
    expect(claimed.map(ooiOf)).toEqual(['sooner', 'later']);
    // mula's column has 32 bits: the pop order has 64.
    expect(parse(claimed[0]!).priority).toBe(2 ** 31 - 1);
  });
});

describe('schedules on push', () => {
  const secondsFromNow = (iso: string | Date) => (new Date(iso).getTime() - Date.now()) / 1_000;

  test('a boefje gets the grace period with jitter, and its own cron keeps its deadline', async () => {
    const { queue, sql } = await queueUnderTest({ gracePeriodSeconds: 1_000, jitterSeconds: 100 });
    const [outcome] = await queue.push('boefje', [boefjeTask('ooi', { priority: 1 })]);
    const { scheduleId } = outcome as { scheduleId: string };
    const read = async () => (await sql`SELECT * FROM schedules WHERE id = ${scheduleId}`)[0]!;
    expect(secondsFromNow((await read())['deadline_at'] as Date)).toBeGreaterThan(950);
    expect(secondsFromNow((await read())['deadline_at'] as Date)).toBeLessThan(1_101);

    await sql`UPDATE schedules SET schedule = '0 0 * * *', deadline_at = '2030-01-01T00:00:00Z'`;
    await queue.pop('boefje', popRequest());
    await queue.push('boefje', [boefjeTask('ooi', { priority: 1 })]);
    expect((await read())['deadline_at']).toEqual(new Date('2030-01-01T00:00:00Z'));
  });

  test('a recurrence that is given sets cron and deadline; none makes no schedule', async () => {
    const { queue, sql } = await queueUnderTest();
    const recurrence = { schedule: '5 4 * * *', deadlineAt: '2031-02-03T04:05:00Z' };
    const outcomes = await queue.push('boefje', [
      boefjeTask('given', { priority: 1, recurrence }),
      boefjeTask('none', { priority: 1, recurrence: 'none' }),
    ]);
    expect(outcomes).toMatchObject([{ scheduleId: expect.any(String) }, { scheduleId: null }]);
    expect(await sql`SELECT schedule, deadline_at FROM schedules`).toEqual([
      { schedule: '5 4 * * *', deadline_at: new Date('2031-02-03T04:05:00Z') },
    ]);
  });

  test('a report without a cron gets no further deadline', async () => {
    const { queue, sql } = await queueUnderTest();
    const report = { organisation: 'aa', data: { organisation_id: 'aa', report_recipe_id: randomUUID() }, priority: 1 };
    expect(await queue.push('report', [report])).toMatchObject([{ scheduleId: expect.any(String) }]);
    expect(await sql`SELECT deadline_at FROM schedules`).toEqual([{ deadline_at: null }]);
  });

  test('a disabled schedule is left alone, and the task gets none', async () => {
    const { queue, sql } = await queueUnderTest();
    await queue.push('boefje', [boefjeTask('ooi', { priority: 1 })]);
    await queue.pop('boefje', popRequest());
    await sql`UPDATE schedules SET enabled = false, deadline_at = NULL`;
    expect(await queue.push('boefje', [boefjeTask('ooi', { priority: 1 })])).toMatchObject([{ scheduleId: null }]);
    expect(await sql`SELECT enabled, deadline_at FROM schedules`).toEqual([{ enabled: false, deadline_at: null }]);
  });

  test("a boefje's cron goes with it; the schedule's own stays, and an interval leaves it in place", async () => {
    const { queue, sql } = await queueUnderTest();
    const at = (minute: number) => `2031-02-03T04:0${minute}:00.000Z`;
    const push = async (task: Partial<NewTask>) => {
      await queue.push('boefje', [boefjeTask('ooi', task)]);
      await queue.pop('boefje', popRequest());
      const [row] = await sql`SELECT schedule, inherited, deadline_at FROM schedules`;
      const deadlineAt = (row!['deadline_at'] as Date).toISOString();
      return { schedule: row!['schedule'] as string, inherited: row!['inherited'] as boolean, deadlineAt };
    };
    const cron = { schedule: '5 4 * * *', deadlineAt: at(1), inherited: true };
    expect(await push({ recurrence: cron })).toEqual(cron);
    expect(await push({})).toEqual(cron);
    const gone = await push({ recurrence: 'default' });
    expect(gone).toMatchObject({ schedule: null, inherited: false });
    expect(gone.deadlineAt).not.toBe(at(1));
    await sql`UPDATE schedules SET schedule = '1 2 * * *', deadline_at = ${at(2)}`;
    expect(await push({ recurrence: 'default' })).toMatchObject({ schedule: '1 2 * * *', deadlineAt: at(2) });
    const interval = { schedule: null, deadlineAt: at(3), inherited: false };
    expect(await push({ recurrence: interval })).toEqual({ ...interval, schedule: '1 2 * * *' });
  });

  test("a person's push keeps the deadline that an interval set, since Katalogus may be away when it is to be put right", async () => {
    const { queue, sql } = await queueUnderTest();
    const at = '2031-02-03T04:05:06.000Z';
    const push = async (recurrence: Partial<NewTask>) => {
      await queue.push('boefje', [boefjeTask('ooi', recurrence)]);
      await queue.pop('boefje', popRequest());
      const [row] = await sql`SELECT deadline_at FROM schedules`;
      return (row!['deadline_at'] as Date).toISOString();
    };
    expect(await push({ recurrence: { schedule: null, deadlineAt: at, byInterval: true } })).toBe(at);
    expect(await push({})).toBe(at);
    expect(await push({ recurrence: { schedule: null, deadlineAt: at } })).toBe(at);
    expect(await push({})).not.toBe(at);
    await sql`UPDATE schedules SET deadline_at = NULL`;
    expect(await push({})).not.toBe(at);
  });

  test('reports which schedules a person moved with the default recurrence, so that the actor can correct them', async () => {
    const told: (readonly PushedSchedule[] | undefined)[] = [];
    const { queue, sql } = await queueUnderTest({
      onDefaultSchedules: (_scheduler, command) => told.push(command.pushed),
    });
    const recurrence = { schedule: null, deadlineAt: '2031-02-03T04:05:00Z' };
    const [byPerson] = await queue.push('boefje', [
      boefjeTask('person', { priority: 1 }),
      boefjeTask('actor', { recurrence }),
      boefjeTask('actor without a say', { recurrence: 'default' }),
      boefjeTask('run-on', { recurrence: 'none' }),
    ]);
    const id = (byPerson as { scheduleId: string }).scheduleId;
    const { organisation, data } = boefjeTask('person');
    const schedule = { id, organisation, plugin: (data as { boefje: { id: string } }).boefje.id };
    await expect.poll(() => told).toEqual([[{ ...schedule, inherited: false }]]);
    await sql`DELETE FROM queue`;
    await sql`UPDATE schedules SET schedule = '0 3 * * *', inherited = true WHERE id = ${id}`;
    await queue.push('boefje', [boefjeTask('person', { priority: 1 })]);
    await expect.poll(() => told.at(1)).toEqual([{ ...schedule, inherited: true }]);
  });
});
