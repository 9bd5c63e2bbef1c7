import { connect } from 'nats';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import type { TaskEvent } from '../../src/nats/notifications.ts';
import type { SimulatedPlugin } from '../../src/simulator/plugins.ts';
import type { Schedule, Task } from '../../src/tasks/task.ts';
import { next, on } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { schedule } from '../support/schedule-rows.ts';

let house: House;
let rota: TestRota;

beforeAll(async () => {
  house = await openHouse();
  rota = await house.start();
});
afterAll(() => house.stop());

const [first, second] = ['a.nl', 'b.nl'].map((name) => hostname(name)) as [
  ReturnType<typeof hostname>,
  ReturnType<typeof hostname>,
];
/** Resolves when the actor has looked: looks go one by one, and at a new organisation there is something to save. */
async function look(organisation: string): Promise<void> {
  const last = addOrganisation(house.world, { plugins: [boefje('last')] }).id;
  for (const id of [organisation, last]) await house.client.ctl('look', { organisations: [id] });
  await expect.poll(() => house.sql`SELECT FROM seen_boefjes WHERE organisation = ${last}`).toHaveLength(1);
}

function organisationWith(...plugins: readonly SimulatedPlugin[]) {
  return addOrganisation(house.world, { plugins, objects: [first, second] });
}

/** Resolves when that number of tasks of the organisation have been queued from now on. */
function queuedIn(organisation: string, count: number): Promise<void> {
  let left = count;
  return new Promise((resolve) => {
    const off = on('tasks.queued', ({ tasks }) => {
      left -= tasks.filter((task) => task.organisation === organisation).length;
      if (left > 0) return;
      off();
      resolve();
    });
  });
}

/** A person's scan of the first host name, over REST. */
async function pushByHand(organisation: string, id: string): Promise<string> {
  const data = { boefje: { id }, input_ooi: first.reference, organization: organisation };
  const answer = await rota.ask('POST', '/schedulers/boefje/push', { organisation, priority: 1, data });
  expect(answer.status).toBe(201);
  return answer.body.id;
}

/** Boefje, OOI, status and reason of each task, in this order. */
async function tasksOf(organisation: string): Promise<string[]> {
  const { body } = await rota.ask<{ results: Task[] }>('GET', `/tasks?organisation=${organisation}&limit=100`);
  const { results } = await house.client.ctl<{ results: { id: string; reason: string | null }[] }>('task-details', {
    ids: body.results.map(({ id }) => id),
  });
  const reasons = new Map(results.map(({ id, reason }) => [id, reason]));
  return body.results
    .map(
      ({ id, status, data }) =>
        `${(data['boefje'] as { id: string }).id} ${String(data['input_ooi'])} ${status} ${reasons.get(id)}`,
    )
    .toSorted();
}

test('lessons 1: a lowered clearance: a task queued for an OOI that needs more is cancelled, a manual one too, and no other', async () => {
  const [here, there] = [1, 2].map(() =>
    organisationWith(
      boefje('dns'),
      boefje('nmap', { scan_level: 2 }),
      boefje('off', { scan_level: 2, enabled: false }),
    ),
  );
  for (const { id } of [here!, there!]) {
    const queued = queuedIn(id, 4);
    for (const host of [first, second]) await house.mutate(id, host, 'create');
    await queued;
  }
  await pushByHand(here!.id, 'off');
  const cancelled = next('tasks.changed');
  await house.mutate(here!.id, { ...first, level: 1 });
  expect(await cancelled).toMatchObject({ status: 'cancelled', reason: 'scan-level-too-low', tasks: [{}, {}] });
  expect(await tasksOf(here!.id)).toEqual([
    `dns ${first.reference} queued null`,
    `dns ${second.reference} queued null`,
    `nmap ${first.reference} cancelled scan-level-too-low`,
    `nmap ${second.reference} queued null`,
    `off ${first.reference} cancelled scan-level-too-low`,
  ]);
  expect((await tasksOf(there!.id)).filter((task) => task.includes('queued'))).toHaveLength(4);
  // And comes back with the clearance.
  const again = queuedIn(here!.id, 1);
  await house.mutate(here!.id, { ...first, level: 2 });
  await again;
});

test('lessons 1: a lowered clearance whose revocation cannot be decided comes again until it is', async () => {
  const { id, objects } = organisationWith(boefje('nmap', { scan_level: 2 }));
  const queued = queuedIn(id, 1);
  await house.mutate(id, first, 'create');
  await queued;
  await rota.drain();
  house.kat.outage('katalogus', 'error');
  rota = await house.start();
  house.kat.resetCounters();
  const lowered = { ...first, level: 0 };
  objects.set(first.reference, lowered);
  await house.mutate(id, lowered);
  await expect.poll(() => Object.keys(house.kat.counters().katalogus)).toContain('GET /v1/organisations');
  expect(await tasksOf(id)).toEqual([`nmap ${first.reference} queued null`]);
  const cancelled = next('tasks.changed');
  house.kat.outage('katalogus', 'none');
  expect(await cancelled).toMatchObject({ reason: 'scan-level-too-low', tasks: [{ organisation: id }] });
});

test('lessons 1: a boefje that is disabled, or gone: what is queued is cancelled by a look; a holder is notified', async () => {
  const organisation = organisationWith(boefje('dns'), boefje('off'), boefje('gone'));
  const { id, plugins } = organisation;
  const queued = queuedIn(id, 6);
  await look(id);
  await queued;
  const filters = {
    filters: [
      { column: 'organisation', operator: 'eq' as const, value: id },
      { column: 'data', field: 'boefje__id', operator: 'eq' as const, value: 'off' },
      { column: 'data', field: 'input_ooi', operator: 'eq' as const, value: first.reference },
    ],
  };
  const [held] = await house.client.pop('boefje', { filters });
  const nats = await connect({ servers: inject('natsUrl') });
  onTestFinished(() => nats.close());
  const events = nats.subscribe(`${house.prefix}.event.boefje.revoked`, { max: 1 });
  await nats.flush();

  plugins.get('off')!.enabled = false;
  plugins.delete('gone');
  await look(id);
  expect(await tasksOf(id)).toEqual([
    `dns ${first.reference} queued null`,
    `dns ${second.reference} queued null`,
    `gone ${first.reference} cancelled boefje-gone`,
    `gone ${second.reference} cancelled boefje-gone`,
    `off ${first.reference} dispatched null`,
    `off ${second.reference} cancelled boefje-disabled`,
  ]);
  for await (const event of events) {
    expect(event.json<TaskEvent>()).toMatchObject({
      reason: 'boefje-disabled',
      tasks: [{ id: held!.id, organisation: id }],
    });
  }
  // What it began is left to it.
  await house.client.patch({ id: held!.id, lease_id: held!.lease_id, status: 'completed' });
});

test('lessons 1: a boefje that is disabled: what a person queued is cancelled when a due schedule finds it out', async () => {
  const { id } = organisationWith(boefje('dns', { enabled: false }), boefje('on'));
  await look(id);
  const manual = await pushByHand(id, 'dns');
  await schedule(house.sql, { organisation: id, ooi: second.reference });
  const cancelled = next('tasks.changed');
  await house.client.ctl('reschedule', { actor: 'boefje' });
  await cancelled;
  expect(await house.client.ctl('task-details', { ids: [manual] })).toMatchObject({
    results: [{ status: 'cancelled', reason: 'boefje-disabled' }],
  });
});

test('an outage of Katalogus revokes nothing', async () => {
  const { id, plugins } = organisationWith(boefje('dns'));
  const queued = queuedIn(id, 2);
  await look(id);
  await queued;
  plugins.get('dns')!.enabled = false;
  house.kat.outage('katalogus', 'error');
  house.kat.resetCounters();
  await house.client.ctl('look', { organisations: [id] });
  await expect.poll(() => Object.keys(house.kat.counters().katalogus)).toContain('GET /v1/organisations');
  // On again before an actor could see that it was off.
  plugins.get('dns')!.enabled = true;
  house.kat.outage('katalogus', 'none');
  await look(id);
  expect(await tasksOf(id)).toEqual([first, second].map(({ reference }) => `dns ${reference} queued null`));
});

test('lessons 1: an organisation that is gone is declined and loses nothing but by a purge; a person may still push', async () => {
  const { id } = organisationWith(boefje('dns'));
  const queued = queuedIn(id, 2);
  await look(id);
  await queued;
  house.world.organisations.delete(id);
  await look(id);
  await house.sql`UPDATE schedules SET deadline_at = now() - interval '1 minute' WHERE organisation = ${id}`;
  const declined = next('tasks.refused', ({ reason }) => reason === 'organisation-gone');
  await house.client.ctl('reschedule', { actor: 'boefje' });
  expect(await declined).toMatchObject({ scheduler: 'boefje' });
  await pushByHand(id, 'by-hand');
  expect((await tasksOf(id)).map((task) => task.split(' ').at(-2))).toEqual(['queued', 'queued', 'queued']);
  const schedules = await rota.ask<{ results: Schedule[] }>('GET', `/schedules?organisation=${id}`);
  expect(schedules.body.results.filter(({ enabled }) => !enabled)).toHaveLength(2);
  expect(await house.client.ctl('purge', { organisation: id })).toMatchObject({ tasks: 3, schedules: 3 });
});
