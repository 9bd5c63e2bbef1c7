import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { boefjeRun } from '../../src/simulator/events.ts';
import type { Task } from '../../src/tasks/task.ts';
import { next } from '../../src/telemetry/events.ts';
import { year2100 } from '../fixtures/unsound/rankers/next-century.ts';
import { addOrganisation, boefje, hostname, normalizer } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { queuedIn } from '../support/told.ts';

/** Rows of docs/differences-from-mula.md, "Smaller differences", about tasks. */
let house: House;
let rota: TestRota;

beforeAll(async () => {
  house = await openHouse();
  rota = await house.start({ environment: { SCHEDULER_BOEFJE_RANKER: 'recency' } });
});
afterAll(() => house.stop());

const host = hostname('example.nl');
const hour = 3_600_000;
const pop = async (query = '', of = rota) =>
  (await of.ask<{ results: Task[] }>('POST', `/schedulers/boefje/pop${query}`)).body.results;
const pushed = (ooi: string, more: object = {}) => ({
  organisation: 'aa',
  priority: 1,
  data: { boefje: { id: 'dns' }, input_ooi: ooi, organization: 'aa', ...more },
});

test('lessons 1: a patch moves modified_at, so that the grace period counts from the end of the run', async () => {
  const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')] });
  const queued = queuedIn(organisation);
  await house.mutate(organisation, host);
  const [id] = await queued;
  const [dispatched] = await pop();
  // It was handed out two days ago, longer than the grace period; it ends now.
  await house.sql`UPDATE tasks SET created_at = now() - interval '2 days', modified_at = now() - interval '2 days' WHERE id = ${id!}`;
  const { body: completed } = await rota.ask('PATCH', `/tasks/${id}`, { status: 'completed' });
  expect(completed.modified_at > dispatched!.modified_at).toBe(true);
  const refused = next('tasks.refused');
  await house.mutate(organisation, host);
  expect(await refused).toMatchObject({ reason: 'grace-period' });
});

test('lessons 1: a finished task may only be retried; a runner gives one back that it has not finished', async () => {
  const { body: task } = await rota.ask('POST', '/schedulers/boefje/push', pushed('retried'));
  const patch = (status: string) => rota.ask('PATCH', `/tasks/${task.id}`, { status });
  for (const given of ['dispatched', 'running']) {
    expect(await pop()).toMatchObject([{ id: task.id }]);
    await patch(given);
    expect(await patch('queued')).toMatchObject({ status: 200, body: { status: 'queued' } });
  }
  await pop();
  expect(await patch('failed')).toMatchObject({ status: 200 });
  for (const late of ['completed', 'running', 'dispatched', 'cancelled']) {
    expect(await patch(late), late).toMatchObject({ status: 409 });
  }
  expect(await patch('failed')).toMatchObject({ status: 200 });
  expect(await patch('queued')).toMatchObject({ status: 200, body: { status: 'queued' } });
  expect(await pop()).toMatchObject([{ id: task.id }]);
});

test('lessons 1: a deduplicated sibling passes the checks of its own organisation', async () => {
  const shared = boefje('dns', { deduplicate: true });
  const add = (plugin = shared, object = host) =>
    addOrganisation(house.world, { plugins: [plugin], objects: [object], deduplicate: true }).id;
  const [asking, joining] = [add(), add()];
  const ranAlready = add();
  add({ ...shared, enabled: false });
  add({ ...shared, scan_level: 4 });
  add(shared, hostname('other.nl'));
  // Octopoes declines all that it is asked about together with this one.
  addOrganisation(house.world, { plugins: [shared], objects: [host], deduplicate: true, nodeless: true });
  const run = boefjeRun({ boefje: 'dns', inputOoi: host.reference, organisation: ranAlready, tookMs: 10 });
  house.kat.bytes.runs.set(run.id, run);
  // The other organisations came after the actor read the list from Katalogus: a look reads it again.
  const looked = next('tasks.queued');
  await house.client.ctl('look', { organisations: [asking] });
  const { tasks } = await looked;
  expect(tasks.map(({ organisation }) => organisation).toSorted()).toEqual([asking, joining].toSorted());
  const unit = await pop();
  expect(unit.map(({ organisation }) => organisation).toSorted()).toEqual([asking, joining].toSorted());
  for (const { id } of unit) await rota.ask('PATCH', `/tasks/${id}`, { status: 'completed' });
});

test('lessons 1: the recency ranker counts whole days: an organisation that ran five days and a minute ago goes before yesterday’s', async () => {
  const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')] });
  const [longAgo, yesterday] = [hostname('long-ago.nl'), hostname('yesterday.nl')];
  for (const [{ reference: inputOoi }, ago] of [
    [longAgo, 5 * 24 * hour + 60_000],
    [yesterday, 30 * hour],
  ] as const) {
    const run = boefjeRun({ boefje: 'dns', inputOoi, organisation, tookMs: 10 });
    house.kat.bytes.runs.set(run.id, { ...run, ended_at: new Date(Date.now() - ago).toISOString() });
  }
  for (const object of [yesterday, longAgo]) {
    const queued = queuedIn(organisation);
    await house.mutate(organisation, object);
    await queued;
  }
  const popped = [...(await pop()), ...(await pop())];
  expect(popped.map(({ data }) => data['input_ooi'])).toEqual([longAgo.reference, yesterday.reference]);
});

test('lessons 1: the pop order has 64 bits: ranks of the next century keep their order behind a priority of 32 bits', async () => {
  const own = await openHouse();
  onTestFinished(() => own.stop());
  const actors = new URL('../fixtures/unsound/', import.meta.url);
  const environment = { SCHEDULER_ACTORS: 'boefje', SCHEDULER_BOEFJE_RANKER: 'next-century' };
  await own.start({ actors, environment });
  const ranked = ['a', 'b', 'c'].map((ooi) => {
    const { organisation, data } = pushed(ooi);
    return { organisation, data };
  });
  await own.client.push('boefje', ranked);
  const popped = await own.client.pop('boefje', { limit: 3 });
  expect(popped.map(({ data }) => data['input_ooi'])).toEqual(['c', 'b', 'a']);
  expect(year2100).toBeGreaterThan(2 ** 31);
  expect(popped.map(({ priority }) => priority)).toEqual(Array(3).fill(2 ** 31 - 1));
});

test('lessons 1: secrets of a raw file, a push, a release or a schedule are never stored', async () => {
  const environment = { API_KEY: 'hunter2' };
  const { id: organisation } = addOrganisation(house.world, {
    plugins: [normalizer('parse', { consumes: ['boefje/dns'] })],
  });
  const parsed = queuedIn(organisation);
  await house.receiveRawFile(organisation, host, { mimeTypes: ['boefje/dns'], environment });
  expect(await parsed).toHaveLength(1);
  await house.client.push('boefje', pushed('by-nats', { environment }));
  // With an id of its own, data is stored as it came.
  const id = randomUUID();
  const asItCame = { id, ...pushed('by-rest', { id, environment }) };
  expect(await rota.ask('POST', '/schedulers/boefje/push', asItCame)).toMatchObject({ status: 201, body: { id } });
  const [task] = await pop();
  const released = { ...task, data: { ...task!.data, environment } };
  expect(await rota.ask('POST', '/schedulers/boefje/push', released)).toMatchObject({ status: 201 });
  const data = { organisation_id: 'aa', report_recipe_id: randomUUID(), environment };
  const schedule = { scheduler_id: 'report', organisation: 'aa', data, schedule: '0 0 1 1 *' };
  expect(await rota.ask('POST', '/schedules', schedule)).toMatchObject({ status: 201 });
  expect(
    await house.sql`SELECT data FROM tasks WHERE data::text LIKE '%hunter2%'
      UNION ALL SELECT data FROM schedules WHERE data::text LIKE '%hunter2%'`,
  ).toEqual([]);
});
