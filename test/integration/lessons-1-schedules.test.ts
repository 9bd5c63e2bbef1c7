import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Schedule } from '../../src/tasks/task.ts';
import { next } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname, normalizer } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { schedule } from '../support/schedule-rows.ts';
import { queuedIn } from '../support/told.ts';

/** Rows of docs/differences-from-mula.md, "Smaller differences", about schedules and raw files. */
let house: House;
let rota: TestRota;

beforeAll(async () => {
  house = await openHouse();
  rota = await house.start();
});
afterAll(() => house.stop());

const host = hostname('example.nl');
const januaryFirst = /-01-01T00:00:00\.000000Z$/;
const get = async (id: string) => (await rota.ask<Schedule>('GET', `/schedules/${id}`)).body;
const fallDue = () => house.client.ctl('reschedule', { actor: 'boefje' });

test('lessons 1: a disabled schedule comes back when its boefje is enabled again; a person’s does not', async () => {
  const dns = boefje('dns', { enabled: false });
  const { id: organisation } = addOrganisation(house.world, { plugins: [dns], objects: [host, hostname('b.nl')] });
  const went = await schedule(house.sql, { organisation, ooi: host.reference, boefje: 'dns' });
  const kept = await schedule(house.sql, { organisation, ooi: 'Hostname|internet|b.nl', boefje: 'dns', due: 60 });
  await rota.ask('PATCH', `/schedules/${kept}`, { enabled: false });
  const refused = next('tasks.refused');
  await fallDue();
  expect(await refused).toMatchObject({ reason: 'boefje-disabled' });
  await expect.poll(() => get(went)).toMatchObject({ enabled: false });
  dns.enabled = true;
  const queued = queuedIn(organisation);
  await house.client.ctl('look', { organisations: [organisation] });
  await queued;
  expect([await get(went), await get(kept)]).toMatchObject([{ enabled: true }, { enabled: false }]);
});

test('lessons 1: a disabled schedule comes back when the clearance of its OOI is raised again', async () => {
  const object = hostname('lowered.nl', 0);
  const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')], objects: [object] });
  const id = await schedule(house.sql, { organisation, ooi: object.reference, boefje: 'dns' });
  const refused = next('tasks.refused');
  await fallDue();
  expect(await refused).toMatchObject({ reason: 'scan-level-too-low' });
  await expect.poll(() => get(id)).toMatchObject({ enabled: false });
  object.level = 2;
  const queued = queuedIn(organisation);
  await house.mutate(organisation, object);
  await queued;
  expect(await get(id)).toMatchObject({ enabled: true });
});

test('lessons 1: a new cron moves the deadline, unless the patch names one itself', async () => {
  const data = { organisation_id: 'aa', report_recipe_id: randomUUID() };
  const asked = { scheduler_id: 'report', organisation: 'aa', data, schedule: '0 0 L * *' };
  const { body: created } = await rota.ask<Schedule>('POST', '/schedules', asked);
  const patch = async (body: object) => (await rota.ask<Schedule>('PATCH', `/schedules/${created.id}`, body)).body;
  expect((await patch({ schedule: '0 0 1 1 *' })).deadline_at).toMatch(januaryFirst);
  const named = await patch({ schedule: '0 0 L * *', deadline_at: '2031-02-03T04:05:06Z' });
  expect(named).toMatchObject({ schedule: '0 0 L * *', deadline_at: '2031-02-03T04:05:06.000000Z' });
  expect(await patch({ schedule: null })).toMatchObject({ schedule: null, deadline_at: named.deadline_at });
});

test('lessons 1: openkat/deschedule deletes the schedule of its boefje, OOI and organisation, and is not parsed', async () => {
  const plugins = [boefje('dns'), normalizer('parse', { consumes: ['openkat/deschedule', 'boefje/dns'] })];
  const [here, there] = [1, 2].map(() => addOrganisation(house.world, { plugins }).id) as [string, string];
  for (const organisation of [here, there]) {
    const queued = queuedIn(organisation);
    await house.mutate(organisation, host);
    await queued;
  }
  const left = async () => {
    const rows = await house.sql<{ organisation: string }[]>`
      SELECT organisation FROM schedules WHERE organisation IN (${here}, ${there}) ORDER BY created_at`;
    return rows.map(({ organisation }) => organisation);
  };
  expect(await left()).toEqual([here, there]);
  await house.receiveRawFile(here, host, { mimeTypes: ['boefje/dns', 'openkat/deschedule'] });
  await expect.poll(left).toEqual([there]);
  expect(await house.client.pop('normalizer')).toEqual([]);
});

test('lessons 1: an empty raw file triggers no normalizer where Bytes gives its size', async () => {
  const { id: organisation } = addOrganisation(house.world, {
    plugins: [normalizer('parse', { consumes: ['boefje/dns'] })],
  });
  const refused = next('tasks.refused');
  await house.receiveRawFile(organisation, host, { mimeTypes: ['boefje/dns'], size: 0 });
  expect(await refused).toMatchObject({ scheduler: 'normalizer', reason: 'empty-raw-file' });
  const queued = queuedIn(organisation);
  await house.receiveRawFile(organisation, host, { mimeTypes: ['boefje/dns'], size: 1 });
  expect(await queued).toHaveLength(1);
});
