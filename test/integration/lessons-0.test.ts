import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { scanProfileDeletion } from '../../src/simulator/events.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
import type { Schedule, Task } from '../../src/tasks/task.ts';
import { next } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname, normalizer } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { schedule, task } from '../support/schedule-rows.ts';
import { queuedIn } from '../support/told.ts';
import { taskOf } from '../support/wire.ts';

/** One test a row of docs/differences-from-mula.md, "The ten that hurt most"; the tests of other rows are elsewhere. */
let house: House;
let rota: TestRota;

beforeAll(async () => {
  house = await openHouse();
  rota = await house.start({ environment: { SCHEDULER_MAX_ATTEMPTS: '2' } });
});
afterAll(() => house.stop());

const host = hostname('example.nl');
const january = '0 0 1 1 *';
const minute = 60_000;

const schedulesOf = async (organisation: string) =>
  (await rota.ask<{ results: Schedule[] }>('GET', `/schedules?organisation=${organisation}&limit=1000`)).body.results;
const tasksOf = async (organisation: string) =>
  (await rota.ask<{ results: Task[] }>('GET', `/tasks?organisation=${organisation}&limit=1000`)).body.results;

test('lessons 0.1: a cancelled task does not block its boefje and OOI', async () => {
  const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')] });
  const first = queuedIn(organisation);
  await house.mutate(organisation, host, 'create');
  expect(await rota.ask('PATCH', `/tasks/${(await first)[0]}`, { status: 'cancelled' })).toMatchObject({ status: 200 });
  const second = queuedIn(organisation);
  await house.mutate(organisation, host);
  expect(await second).not.toEqual(await first);
});

test('lessons 0.2: an expired lease puts the task back, fences its holder off, and in the end fails the task', async () => {
  const organisation = 'leases';
  const data = { boefje: { id: 'dns' }, input_ooi: host.reference, organization: organisation };
  const { id } = await house.client.push('boefje', { organisation, priority: 1, data });
  const briefly = {
    lease_ms: 1_000,
    filters: { filters: [{ column: 'organisation', operator: 'eq' as const, value: organisation }] },
  };
  const requeued = next('leases.expired');
  // Begun: a claim that no runner began counts as no attempt, twice.
  const begun = async () => {
    const [task] = await house.client.pop('boefje', briefly);
    await house.client.patch({ id: task!.id, lease_id: task!.lease_id, status: 'running' });
    return task;
  };
  const lost = await begun();
  expect(await requeued).toMatchObject({ requeued: 1 });
  const failed = next('tasks.changed', ({ status }) => status === 'failed');
  const held = await begun();
  expect([lost, held]).toMatchObject([
    { id, attempts: 1 },
    { id, attempts: 2 },
  ]);
  const report = { id, lease_id: lost!.lease_id, status: 'completed' } as const;
  await expect(house.client.patch(report)).rejects.toMatchObject({ code: 'LEASE_LOST' });
  expect(await failed).toMatchObject({ reason: 'lease-expired', tasks: [{ id }] });
  expect(await taskOf(house.client, id)).toMatchObject({ status: 'failed' });
});

test('lessons 0.4: an OOI that is deleted takes its queued tasks and its schedules with it, in its organisation', async () => {
  const plugins = [boefje('dns'), boefje('on-create', { run_on: ['create'] })];
  const [here, there] = [1, 2].map(() => addOrganisation(house.world, { plugins }).id) as [string, string];
  for (const organisation of [here, there]) {
    const queued = queuedIn(organisation);
    await house.mutate(organisation, host, 'create');
    expect(await queued).toHaveLength(2);
  }
  const cancelled = next('tasks.changed');
  await house.publish('scan_profile_mutations', scanProfileDeletion(here, host.reference));
  expect(await cancelled).toMatchObject({ status: 'cancelled', reason: 'ooi-gone' });
  expect((await tasksOf(here)).map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
  expect((await schedulesOf(here)).map(({ enabled }) => enabled)).toEqual([false]);
  expect((await tasksOf(there)).map(({ status }) => status)).toEqual(['queued', 'queued']);
  expect((await schedulesOf(there)).map(({ enabled }) => enabled)).toEqual([true]);
});

test('lessons 0.6: one look queues all that is due, the oldest deadline first, and moves on what it refuses', async () => {
  // More than mula's hundred, and the oldest hundred are refused: they ran just now.
  const objects = Array.from({ length: 300 }, (_, at) => hostname(`${at}.nl`));
  const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')], objects });
  const now = new Date().toISOString();
  for (const [at, { reference: ooi }] of objects.entries()) {
    const hash = boefjeHash({ boefjeId: 'dns', inputOoi: ooi, organisation });
    await schedule(house.sql, { organisation, ooi, hash, due: at - 1_000 });
    if (at < 100) await task(house.sql, hash, 'COMPLETED', now, organisation);
  }
  await house.sql`UPDATE tasks SET modified_at = now() WHERE organisation = ${organisation}`;
  const queued = queuedIn(organisation);
  await house.client.ctl('reschedule', { actor: 'boefje' });
  const ids = await queued;
  const oois = await Promise.all(ids.map(async (id) => (await taskOf(house.client, id))!.data['input_ooi']));
  expect(oois).toEqual(objects.slice(100).map(({ reference }) => reference));
  await expect
    .poll(async () =>
      (await schedulesOf(organisation)).filter(({ deadline_at }) => Date.parse(deadline_at!) <= Date.now()),
    )
    .toEqual([]);
  expect(await (await fetch(`${rota.api}/metrics`)).text()).toMatch(/lag\w*\{[^}]*boefje[^}]*\} 0\b/);
});

/** And an offset within a tenth of it. */
function expectAnHour(minutes: number): void {
  expect(minutes).toBeGreaterThan(59);
  expect(minutes).toBeLessThan(66.1);
}

test('lessons 0.7: the boefje’s cron decides, then its interval, then the schedule’s own cron, then the grace period', async () => {
  const yearly = boefje('yearly', { cron: january, interval: 60 });
  const plugins = [yearly, boefje('hourly', { interval: 60 }), boefje('plain'), boefje('own')];
  const organisation = addOrganisation(house.world, { plugins, objects: [host] });
  const dueOf = async () => {
    const all = await schedulesOf(organisation.id);
    return Object.fromEntries(
      all.map(({ data, schedule: cron, deadline_at: at, id }) => [
        (data['boefje'] as { id: string }).id,
        { id, cron, at: at!, minutes: (Date.parse(at!) - Date.now()) / minute },
      ]),
    );
  };
  const queued = queuedIn(organisation.id);
  await house.mutate(organisation.id, host, 'create');
  const ids = await queued;
  const first = await dueOf();
  expect(first['yearly']).toMatchObject({ cron: january, at: expect.stringContaining('-01-01T00:00:00') });
  expectAnHour(first['hourly']!.minutes);
  expect(first['plain']!.minutes).toBeGreaterThan(24 * 60 - 1);

  // A schedule gets a cron of its own, a boefje loses its cron, which a look finds out; then all of them fall due.
  const cancel = (all: readonly string[]) => house.client.ctl('change-tasks', { action: 'cancel', ids: all });
  await cancel(ids);
  await rota.ask('PATCH', `/schedules/${first['own']!.id}`, { schedule: january });
  yearly.cron = null;
  yearly.interval = null;
  organisation.plugins.set('new', boefje('new'));
  const seen = queuedIn(organisation.id);
  await house.client.ctl('look', { organisations: [organisation.id] });
  await cancel(await seen);
  for (const { id } of Object.values(first)) {
    await rota.ask('PATCH', `/schedules/${id}`, { deadline_at: new Date().toISOString() });
  }
  const again = queuedIn(organisation.id);
  await house.client.ctl('reschedule', { actor: 'boefje' });
  expect(await again).toHaveLength(4);
  await expect.poll(async () => (await dueOf())['yearly']).toMatchObject({ cron: null });
  const second = await dueOf();
  expect(second['yearly']!.minutes).toBeGreaterThan(24 * 60 - 1);
  expect(second['own']).toMatchObject({ cron: january, at: expect.stringContaining('-01-01T00:00:00') });
  expectAnHour(second['hourly']!.minutes);
});

test('lessons 0.8: a restart floods nothing: only what was enabled meanwhile is new', async () => {
  const own = await openHouse();
  onTestFinished(() => own.stop());
  const organisation = addOrganisation(own.world, { plugins: [boefje('dns')], objects: [host, hostname('b.nl')] });
  const queued = queuedIn(organisation.id);
  const before = await own.start();
  const ids = await queued;
  // Only memory shows that what was cancelled is not new.
  await own.client.ctl('change-tasks', { action: 'cancel', ids });
  await before.drain();
  organisation.plugins.set('tls', boefje('tls'));
  const fresh = queuedIn(organisation.id);
  await own.start();
  expect(await fresh).toHaveLength(2);
  const made =
    await own.sql`SELECT data #>> '{boefje,id}' AS boefje, count(*)::int AS tasks FROM tasks GROUP BY 1 ORDER BY 1`;
  expect(made).toMatchObject([
    { boefje: 'dns', tasks: 2 },
    { boefje: 'tls', tasks: 2 },
  ]);
});

test('lessons 0.8: an outage holds up only what needs that service, and nothing is lost over it', async () => {
  const own = await openHouse();
  onTestFinished(() => own.stop());
  const { id: organisation } = addOrganisation(own.world, {
    plugins: [boefje('dns'), normalizer('parse-dns', { consumes: ['boefje/dns'] })],
  });
  for (const service of ['octopoes', 'bytes'] as const) own.kat.outage(service, 'error');
  // Of one or the other: Bytes is asked about the event, and Octopoes once it comes again.
  const opened = next('circuit.changed', ({ state }) => state === 'open');
  const { ask } = await own.start();
  await own.mutate(organisation, host, 'create');
  await opened;
  const parsed = next('tasks.queued');
  await own.receiveRawFile(organisation, host, { mimeTypes: ['boefje/dns'] });
  expect(await parsed).toMatchObject({ scheduler: 'normalizer' });
  const data = { boefje: { id: 'manual' }, input_ooi: host.reference, organization: organisation };
  expect(await ask('POST', '/schedulers/boefje/push', { organisation, priority: 1, data })).toMatchObject({
    status: 201,
  });
  expect((await ask<{ results: Task[] }>('POST', '/schedulers/boefje/pop')).body.results).toMatchObject([{ data }]);
  const queued = next('tasks.queued');
  for (const service of ['octopoes', 'bytes'] as const) own.kat.outage(service, 'none');
  expect(await queued).toMatchObject({ scheduler: 'boefje', tasks: [{ organisation }] });
});
