import { afterAll, beforeAll, expect, test } from 'vitest';
import { operatorsFor } from '../../src/nats/operators.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
import type { Task } from '../../src/tasks/task.ts';
import { next, on } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { schedule } from '../support/schedule-rows.ts';

let house: House;
let one: TestRota;
let two: TestRota;

const hosts = Array.from({ length: 100 }, (_, at) => hostname(`${at}.nl`));

beforeAll(async () => {
  house = await openHouse();
  [one, two] = await Promise.all([house.start(), house.start()]);
});
afterAll(() => house.stop());

/** Resolves when that number of tasks of an organisation were queued since, in any number of sets. */
function queuedIn(organisation: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  return new Promise((resolve) => {
    const off = on('tasks.queued', ({ tasks }) => {
      ids.push(...tasks.filter((task) => task.organisation === organisation).map(({ id }) => id));
      if (ids.length < count) return;
      off();
      resolve(ids);
    });
  });
}

const only = (organisation: string) => ({
  filters: [{ column: 'organisation', operator: 'eq' as const, value: organisation }],
});

/** Pops at both supervisors, over NATS and REST, until there is nothing left. */
async function popAll(organisation: string): Promise<string[]> {
  const byNats = async () => (await house.client.pop('boefje', { limit: 3, filters: only(organisation) })) as Task[];
  const byRest = (rota: TestRota) => async () =>
    (await rota.ask<{ results: Task[] }>('POST', '/schedulers/boefje/pop', only(organisation))).body.results;
  const workers = [byNats, byNats, byNats, byRest(one), byRest(one), byRest(two), byRest(two)].map(async (pop) => {
    const popped: string[] = [];
    for (let tasks = await pop(); tasks.length > 0; tasks = await pop()) popped.push(...tasks.map(({ id }) => id));
    return popped;
  });
  return (await Promise.all(workers)).flat();
}

test('lessons 0.10: two supervisors that share the events queue each pair once, and hand each task out once', async () => {
  const { id } = addOrganisation(house.world, { plugins: [boefje('dns'), boefje('tls')], objects: hosts });
  const queued = queuedIn(id, 2 * hosts.length);
  // Every event twice: brokers deliver at least once, and the copies reach both supervisors.
  await Promise.all([...hosts, ...hosts].map((host) => house.mutate(id, host, 'create')));
  expect((await queued).toSorted()).toEqual((await popAll(id)).toSorted());
  expect(await house.sql`SELECT count(*)::int AS tasks FROM tasks WHERE organisation = ${id}`).toEqual([
    { tasks: 2 * hosts.length },
  ]);
});

test('lessons 0.10: two supervisors that look at the same moment queue what is due, or new, once', async () => {
  const { id } = addOrganisation(house.world, { plugins: [boefje('dns'), boefje('tls')], objects: hosts });
  for (const { reference: ooi } of hosts) {
    const hash = boefjeHash({ boefjeId: 'dns', inputOoi: ooi, organisation: id });
    await schedule(house.sql, { organisation: id, ooi, hash });
  }
  const queued = queuedIn(id, 2 * hosts.length);
  const instances = await house.client.instances();
  expect(instances).toHaveLength(2);
  await Promise.all(
    instances.flatMap((instance) => [
      house.client.ctl('reschedule', { actor: 'boefje' }, { instance }),
      house.client.ctl('look', { organisations: [id] }, { instance }),
    ]),
  );
  expect((await queued).toSorted()).toEqual((await popAll(id)).toSorted());
});

test('lessons 0.10: a task that one supervisor queues goes to a pop that waits at the other', async () => {
  const parked = next('waiter.parked');
  const popped = two.ask<{ results: Task[] }>('POST', '/schedulers/boefje/pop?wait=20', only('waiting'));
  await parked;
  const data = { boefje: { id: 'dns' }, input_ooi: 'Hostname|internet|x.nl', organization: 'waiting' };
  const { body } = await one.ask('POST', '/schedulers/boefje/push', { organisation: 'waiting', priority: 1, data });
  expect((await popped).body.results).toMatchObject([{ id: body.id }]);
});

test('lessons 0.10: what one supervisor leaves at its end the other one goes on with', async () => {
  const { id } = addOrganisation(house.world, { plugins: [boefje('dns')], objects: hosts });
  const queued = queuedIn(id, hosts.length);
  await Promise.all(hosts.map((host) => house.mutate(id, host, 'create')));
  const operators = operatorsFor(house.client, null)({ by: null, access: 'read' });
  expect(await operators.instances()).toHaveLength(2);
  await two.drain();
  await house.client.connection.flush();
  // It has said that it leaves: nobody misses it.
  expect(await operators.instances()).toHaveLength(1);
  expect(await queued).toHaveLength(hosts.length);
  expect(await house.client.instances()).toHaveLength(1);
});
