import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Task } from '../../src/tasks/task.ts';
import { next } from '../../src/telemetry/events.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { scrape } from '../support/scrape.ts';

/** KAT's deduplicating boefje worker against the whole of Rota: it knows no leases, and reports only what it runs. */

let house: House;
let rota: TestRota;

beforeAll(async () => {
  house = await openHouse();
  rota = await house.start({ environment: { SCHEDULER_START_WITHIN_SECONDS: '600' } });
});
afterAll(() => house.stop());

/** One boefje and one OOI of several organisations, as the boefje actor pushes them. */
async function pushGroup(...organisations: readonly string[]): Promise<readonly string[]> {
  const key = randomUUID();
  const ids: string[] = [];
  for (const organisation of organisations) {
    const data = {
      boefje: { id: 'dns' },
      input_ooi: 'Hostname|internet|a',
      organization: organisation,
      deduplication_key: key,
    };
    const { status, body } = await rota.ask('POST', '/schedulers/boefje/push', { organisation, priority: 1, data });
    expect(status).toBe(201);
    ids.push(body.id);
  }
  return ids;
}

const pop = async () =>
  (await rota.ask<{ results: Task[] }>('POST', '/schedulers/boefje/pop?limit=1')).body.results.map(({ id }) => id);
const patch = async (id: string, status: string) => (await rota.ask('PATCH', `/tasks/${id}`, { status })).status;
const status = async (id: string) => (await rota.ask('GET', `/tasks/${id}`)).body.status;

/** As if so much of the time had passed since these were popped. */
const pass = (seconds: number, ids: readonly string[]) => house.sql`
  UPDATE leases SET until = until - ${seconds}::int * interval '1 second',
    claimed_at = claimed_at - ${seconds}::int * interval '1 second'
  WHERE task_id IN ${house.sql(ids)}`;

test('lessons 1: a deduplicated group over REST: the output for a sibling is saved, since it runs when the one does that its worker reports', async () => {
  const [leader, sibling, third] = await pushGroup('aa', 'bb', 'cc');
  expect(await pop()).toEqual([leader, sibling, third]);
  await patch(leader!, 'running');
  // The boefje API answers 403 to the output of whatever does not run.
  for (const id of [sibling!, third!]) expect(await status(id)).toBe('running');
  for (const id of [leader!, sibling!, third!]) expect(await patch(id, 'completed')).toBe(200);
  for (const id of [leader!, sibling!, third!]) expect(await status(id)).toBe('completed');
});

test('where the leader fails, its siblings are queued again one by one, and handed out as a group without it', async () => {
  const [leader, sibling, third] = await pushGroup('dd', 'ee', 'ff');
  await pop();
  await patch(leader!, 'running');
  expect(await patch(leader!, 'failed')).toBe(200);
  for (const id of [sibling!, third!]) expect(await patch(id, 'queued')).toBe(200);
  expect(await pop()).toEqual([sibling, third]);
  await patch(third!, 'running');
  expect(await Promise.all([leader!, sibling!, third!].map(status))).toEqual(['failed', 'running', 'running']);
  for (const id of [sibling!, third!]) await patch(id, 'completed');
});

test('lessons 1: a task that its runner never began is seen in the metrics, comes back, and is no attempt; what runs has the grace period', async () => {
  const group = await pushGroup('gg', 'hh');
  await pop();
  const seconds = async () =>
    (
      await house.sql`SELECT round(extract(epoch FROM until - now()))::int AS left FROM leases
        WHERE task_id IN ${house.sql(group)}`
    ).map(({ left }) => left as number);
  for (const left of await seconds()) expect(left).toBeGreaterThan(590);
  for (const left of await seconds()) expect(left).toBeLessThanOrEqual(600);

  const waiting = async () => (await scrape(rota.api)).value('rota_tasks_not_begun', { scheduler: 'boefje' });
  expect(await waiting()).toBe(0);
  await pass(149, group);
  expect(await waiting()).toBe(0);
  await pass(2, group);
  expect(await waiting()).toBe(2);

  const expired = next('leases.expired');
  await pass(600, group);
  expect(await expired).toMatchObject({ requeued: 2 });
  expect(await waiting()).toBe(0);
  expect(await pop()).toEqual(group);
  expect(await house.sql`SELECT attempts, unbegun FROM tasks WHERE id IN ${house.sql(group)}`).toEqual([
    { attempts: 1, unbegun: 1 },
    { attempts: 1, unbegun: 1 },
  ]);

  await patch(group[1]!, 'running');
  await pass(500, group);
  expect(await waiting()).toBe(0);
  for (const left of await seconds()) expect(left).toBeGreaterThan(80_000);
  for (const id of group) await patch(id, 'completed');
});
