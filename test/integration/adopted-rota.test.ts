import { Client } from 'pg';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { boefjeHash } from '../../src/tasks/data.ts';
import { next } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { boefjeData, Mula, mulaSchedule, mulaTask } from '../support/mula-database.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { queuedIn } from '../support/told.ts';
import { taskOf } from '../support/wire.ts';

/** A whole supervisor, actors and all, on a database that mula left. adoption-rows.test.ts looks at each row of it. */
let house: House;
let rota: TestRota;

const [due, running, finished] = ['due.nl', 'running.nl', 'finished.nl'].map((name) => hostname(name)) as [
  ReturnType<typeof hostname>,
  ReturnType<typeof hostname>,
  ReturnType<typeof hostname>,
];
const organisation = 'adopted';
const dataOf = (ooi: string) => boefjeData({ boefje: { id: 'dns' }, input_ooi: ooi, organization: organisation });
const hashOf = (inputOoi: string) => boefjeHash({ boefjeId: 'dns', inputOoi, organisation });
const schedule = mulaSchedule({ organisation, hash: hashOf(due.reference), data: dataOf(due.reference) });

async function leaveByMula(databaseUrl: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(await readFile(new URL('../../sql/migrations/0001_mula.sql', import.meta.url), 'utf8'));
  const mula = new Mula(client);
  await mula.createSchedule(schedule);
  for (const [ooi, status] of [
    [running.reference, 'running'],
    [finished.reference, 'completed'],
  ] as const) {
    const modified_at = new Date().toISOString();
    await mula.createTask(mulaTask({ organisation, status, hash: hashOf(ooi), data: dataOf(ooi), modified_at }));
  }
  await client.end();
}

beforeAll(async () => {
  house = await openHouse({ prepare: leaveByMula });
  const objects = [due, running, finished, hostname('never-seen.nl')];
  const there = addOrganisation(house.world, { plugins: [boefje('dns')], objects });
  house.world.organisations.set(organisation, { ...there, id: organisation });
  house.world.organisations.delete(there.id);
});
afterAll(() => house.stop());

test('an adopted schedule that is due is the only thing that a start queues: nothing in it is new', async () => {
  const queued = queuedIn(organisation);
  rota = await house.start();
  const ids = await queued;
  expect(ids).toHaveLength(1);
  expect(await taskOf(house.client, ids[0]!)).toMatchObject({
    schedule_id: schedule.id,
    data: { input_ooi: due.reference },
  });
  const { body: moved } = await rota.ask<typeof schedule>('GET', `/schedules/${schedule.id}`);
  expect(Date.parse(moved.deadline_at!)).toBeGreaterThan(Date.now());
});

test('what was running, or finished a moment ago, when mula stopped counts for what may be queued', async () => {
  for (const [object, reason] of [
    [running, 'still-running'],
    [finished, 'grace-period'],
  ] as const) {
    const refused = next('tasks.refused');
    await house.mutate(organisation, object);
    expect(await refused).toMatchObject({ reason, count: 1 });
  }
});
