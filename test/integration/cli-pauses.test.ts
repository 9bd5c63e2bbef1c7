import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Task } from '../../src/tasks/task.ts';
import type { RerankPreview } from '../../src/protocol/operator-organisations.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { boefjeTask } from '../support/wire.ts';

// Each command is a process of its own: a second or two on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let hand: RotaAtHand;

beforeAll(async () => {
  hand = await startRotaAtHand({ SCHEDULER_BOEFJE_RANKER: 'recency' });
});

afterAll(() => hand.stop());

const pop = async () => (await hand.client.pop('boefje', { limit: 100 })).map(({ organisation }) => organisation);

test('an organisation with thousands of tasks at the head is paused and resumed without a restart', async () => {
  const many = Array.from({ length: 3_000 }, (_, n) => boefjeTask('burst', `Hostname|internet|${n}`));
  await hand.client.push('boefje', many);
  await hand.client.push('boefje', boefjeTask('quiet', 'Hostname|internet|a'));
  expect(await hand.json(['pause', 'boefje', '--organisation', 'burst'])).toEqual({ held: 3_000 });
  expect(await pop()).toEqual(['quiet']);
  expect(await hand.json(['pauses'])).toMatchObject({
    results: [{ scheduler: 'boefje', organisation: 'burst', boefje: null, paused_by: expect.any(String) }],
  });
  expect(await hand.json(['resume', 'boefje', '--organisation', 'burst'])).toEqual({ released: 3_000 });
  expect(await pop()).toHaveLength(100);
  expect(await hand.json(['pauses'])).toEqual({ results: [] });
});

test('a pause of an unknown organisation goes through, with a warning; one that is known has none', async () => {
  await hand.client.push('boefje', boefjeTask('seen', 'Hostname|internet|a'));
  const [known, unknown] = [
    await hand.run(['pause', 'boefje', '--organisation', 'seen']),
    await hand.run(['pause', 'boefje', '--organisation', 'sene']),
  ];
  expect(known).toMatchObject({ code: 0, stderr: '' });
  expect(unknown).toMatchObject({
    code: 0,
    stdout: 'paused; 0 queued tasks are held\n',
    stderr: 'warning: no task or boefje of organisation sene was ever seen\n',
  });
  for (const organisation of ['seen', 'sene']) await hand.json(['resume', 'boefje', '--organisation', organisation]);
});

test('resuming what is not paused says what is', async () => {
  await hand.json(['pause', 'report']);
  const { code, stderr } = await hand.run(['resume', 'boefje']);
  expect(stderr).toContain('paused are: report / every organisation / every boefje');
  expect(code).toBe(66);
  await hand.json(['resume', 'report']);
});

test('a purge takes an organisation out of queue, schedules and pauses, and leaves the others', async () => {
  await hand.client.push('boefje', [
    boefjeTask('gone', 'Hostname|internet|a'),
    boefjeTask('stays', 'Hostname|internet|a'),
  ]);
  await hand.json(['pause', 'boefje', '--organisation', 'gone']);
  expect(await hand.json(['purge', 'gone', '--yes'])).toEqual({ tasks: 1, schedules: 1, pauses: 1 });
  expect(await hand.json(['schedules', 'list', '--organisation', 'gone'])).toMatchObject({ count: 0 });
  const tasks = await hand.json<{ results: Task[] }>(['tasks', 'list', '--organisation', 'gone']);
  expect(tasks.results).toMatchObject([{ status: 'cancelled', schedule_id: null }]);
  expect(await hand.json(['tasks', 'list', '--organisation', 'stays', '--status', 'queued'])).toMatchObject({
    count: 1,
  });
});

test('a rerank puts what is queued where its ranker would put it now, and a manual scan stays first', async () => {
  const tasks = async () =>
    (await hand.json<{ results: Task[] }>(['tasks', 'list', '--organisation', 'ranked'])).results;
  await hand.client.push('boefje', { ...boefjeTask('ranked', 'Hostname|internet|slow'), priority: 900 });
  const [slow] = (await tasks()) as [Task];
  await hand.client.push('boefje', { ...boefjeTask('ranked', 'Hostname|internet|manual'), priority: 1 });
  // By recency only a person's priority is kept. What never ran has the minute in which the supervisor ranked it, just before.
  const minute = Math.floor(Date.parse(slow.created_at) / 60_000) * 60;
  expect([minute - 60, minute]).toContain(slow.priority);
  // A rank of the scale of before.
  const patched = await fetch(`${hand.rota.api}/tasks/${slow.id}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ priority: 900 }),
  });
  expect(await patched.json()).toMatchObject({ priority: 900 });
  const reranked = await hand.json<{ looked: number; moved: number }>(['rerank', 'boefje']);
  expect(reranked.moved).toBeGreaterThanOrEqual(1);
  expect((await tasks()).map(({ data, priority }) => [data['input_ooi'], priority])).toEqual([
    ['Hostname|internet|manual', 1],
    ['Hostname|internet|slow', minute],
  ]);
});

test('a preview shows whose the next tasks would be with another ranker, and moves nothing', async () => {
  const report = (organisation: string, n: number) => ({
    organisation,
    data: { organisation_id: organisation, report_recipe_id: `00000000-0000-4000-8000-00000000000${n}` },
  });
  const pushes = [0, 1, 2, 3, 4, 5].map((n) => report('crowd', n));
  await hand.client.push('report', pushes);
  await hand.client.push('report', [report('lone', 6), report('lone', 7)]);
  const order = async () =>
    (await hand.json<{ results: Task[] }>(['tasks', 'list', '--scheduler', 'report'])).results.map(
      ({ id, priority }) => [id, priority],
    );
  const before = await order();
  const own = await hand.json<RerankPreview>(['rerank', 'report', '--preview']);
  expect(own).toMatchObject({ ranker: own.own, looked: 8, looked_is_least: false, counted: 4, others: 0 });
  expect(own.organisations).toEqual([{ name: 'crowd', before: { count: 4, first: 1 }, after: { count: 4, first: 1 } }]);
  const fair = await hand.json<RerankPreview>(['rerank', 'report', '--preview', 'fair-share']);
  expect(
    Object.fromEntries(fair.organisations.map(({ name, before: was, after }) => [name, [was.count, after.count]])),
  ).toEqual({ crowd: [4, 2], lone: [0, 2] });
  const { stdout } = await hand.run(['rerank', 'report', '--preview', 'fair-share']);
  expect(stdout).toMatch(/ORGANISATION +NOW +WITH fair-share +FIRST NOW +FIRST THEN/);
  expect(stdout).toMatch(/lone +0 +2 +- +2/);
  expect(stdout).toContain('of the next 4 tasks, with the 8 queued ranked by fair-share; nothing is changed');
  expect(stdout).toContain(`report has ${own.own}: for this order set SCHEDULER_REPORT_RANKER=fair-share`);
  const none = await hand.run(['rerank', 'report', '--preview', 'none']);
  expect(none.stderr).toContain('ranker: there is no none; there are:');
  expect(await order()).toEqual(before);
});

test('a queue is told with what was handed out and failed, of what is no longer queued too', async () => {
  await hand.client.push('boefje', [
    boefjeTask('rated', 'Hostname|internet|a', 'rated-boefje'),
    boefjeTask('rated', 'Hostname|internet|b', 'rated-boefje'),
    boefjeTask('done', 'Hostname|internet|a', 'failing-boefje'),
  ]);
  const one = async (organisation: string) => {
    const filters = [{ column: 'organisation', operator: 'eq' as const, value: organisation }];
    return (await hand.client.pop('boefje', { limit: 1, filters: { filters } }))[0]!;
  };
  await one('rated');
  const { id, lease_id } = await one('done');
  await hand.client.patch({ id, lease_id, status: 'failed' });
  type Row = { readonly name: string; readonly queued: number; readonly per_second: number; readonly failed: number };
  const rows = async (by: string) =>
    (await hand.json<{ results: Row[] }>(['queue', 'boefje', '--by', by])).results.filter(({ name }) =>
      ['rated', 'done', 'rated-boefje', 'failing-boefje'].includes(name),
    );
  const rate = expect.closeTo(0.01, 1) as number;
  await vi.waitFor(
    async () => {
      expect(await rows('organisation')).toMatchObject([
        { name: 'rated', queued: 1, per_second: rate, failed: 0 },
        { name: 'done', queued: 0, per_second: rate, failed: 1 },
      ]);
    },
    { timeout: 20_000 },
  );
  expect(await rows('boefje')).toMatchObject([
    { name: 'rated-boefje', queued: 1, per_second: rate, failed: 0 },
    { name: 'failing-boefje', queued: 0, per_second: rate, failed: 1 },
  ]);
  const { stdout } = await hand.run(['queue', 'boefje']);
  expect(stdout).toMatch(/^SCHEDULER +ORGANISATION +QUEUED +HELD +OLDEST +RATE +FAILED$/m);
  expect(stdout).toMatch(/^boefje +done +0 +0 +- +\S+ +1$/m);
});
