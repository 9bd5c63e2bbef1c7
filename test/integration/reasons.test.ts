import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { scanProfileMutation } from '../../src/simulator/events.ts';
import type { SimulatedPlugin } from '../../src/simulator/plugins.ts';
import { type RefusalReason, refusalReasons } from '../../src/tasks/refusal.ts';
import { next } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname, normalizer } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { schedule } from '../support/schedule-rows.ts';

let house: House;
let rota: TestRota;

beforeAll(async () => {
  house = await openHouse();
  rota = await house.start();
});
afterAll(() => house.stop());

const host = hostname('example.nl');
const organisationWith = (...plugins: readonly SimulatedPlugin[]) =>
  addOrganisation(house.world, { plugins, objects: [host] }).id;

const mutate = (organisation: string) => house.mutate(organisation, host);
const receiveRawFile = (organisation: string, mimeTypes: readonly string[], size?: number) =>
  house.receiveRawFile(organisation, host, { mimeTypes, ...(size === undefined ? {} : { size }) });

/** A schedule of boefje `dns` and the host name falls due. */
async function fallDue(organisation: string): Promise<string> {
  const id = await schedule(house.sql, { organisation, ooi: host.reference });
  await house.client.ctl('reschedule', { actor: 'boefje' });
  return id;
}

/** The task that the first mutation made is handed out. */
async function running(): Promise<{ organisation: string; id: string; lease_id: string }> {
  const organisation = organisationWith(boefje('dns'));
  const queued = next('tasks.queued');
  await mutate(organisation);
  await queued;
  const [task] = await house.client.pop('boefje');
  return { organisation, id: task!.id, lease_id: task!.lease_id };
}

/** The shortest way to each reason that lies in what KAT says and does. */
const ways: Partial<Record<RefusalReason, () => Promise<unknown>>> = {
  'organisation-gone': () => mutate('nobody'),
  'boefje-gone': () => fallDue(organisationWith()),
  'boefje-disabled': () => mutate(organisationWith(boefje('dns', { enabled: false }))),
  'not-a-boefje': () => fallDue(organisationWith(normalizer('dns'))),
  'not-consumed': () => fallDue(organisationWith(boefje('dns', { consumes: ['IPAddressV4'] }))),
  'ooi-gone': () => fallDue(addOrganisation(house.world, { plugins: [boefje('dns')] }).id),
  'no-scan-profile': () =>
    fallDue(addOrganisation(house.world, { plugins: [boefje('dns')], objects: [hostname('example.nl', null)] }).id),
  'scan-level-too-low': () => mutate(organisationWith(boefje('dns', { scan_level: 3 }))),
  'no-run-on': () => mutate(organisationWith(boefje('dns', { run_on: ['create'] }))),
  'still-running': async () => mutate((await running()).organisation),
  'already-queued': async () => {
    const organisation = organisationWith(boefje('dns'));
    const queued = next('tasks.queued');
    await mutate(organisation);
    await queued;
    await mutate(organisation);
  },
  'grace-period': async () => {
    const { organisation, ...task } = await running();
    await house.client.patch({ ...task, status: 'completed' });
    await mutate(organisation);
  },
  'schedule-disabled': async () => {
    const organisation = organisationWith(boefje('dns'));
    house.kat.resetCounters();
    house.kat.outage('octopoes', 'hang');
    const id = await fallDue(organisation);
    await expect
      .poll(() => Object.keys(house.kat.counters().octopoes))
      .toContain('POST /:organisation/objects/load_bulk');
    expect(await rota.ask('PATCH', `/schedules/${id}`, { enabled: false })).toMatchObject({ status: 200 });
    house.kat.outage('octopoes', 'none');
  },
  'normalizer-disabled': () => receiveRawFile(organisationWith(normalizer('dns', { enabled: false })), ['boefje/dns']),
  'error-mime-type': () => receiveRawFile(organisationWith(normalizer('dns')), ['boefje/dns', 'error/boefje']),
  'empty-raw-file': () => receiveRawFile(organisationWith(normalizer('dns')), ['boefje/dns'], 0),
  'no-mime-type': () => receiveRawFile(organisationWith(normalizer('dns')), []),
};

const ofNormalizers: readonly RefusalReason[] = [
  'normalizer-disabled',
  'error-mime-type',
  'empty-raw-file',
  'no-mime-type',
];
/** Not in what KAT says, but in how this installation is set up: tests of their own below. */
const ofTheSetUp: readonly RefusalReason[] = ['queue-full', 'rank-failed'];

describe('reasons to decline a task', () => {
  test.each(refusalReasons.filter((reason) => !ofTheSetUp.includes(reason)))(
    'reason %s: told once, and no task is made',
    async (reason) => {
      const told = next('tasks.refused');
      await ways[reason]!();
      const scheduler = ofNormalizers.includes(reason) ? 'normalizer' : 'boefje';
      expect(await told).toEqual({ name: 'tasks.refused', scheduler, reason, count: 1 });
      expect(await house.client.pop(scheduler, { limit: 10 })).toHaveLength(reason === 'already-queued' ? 1 : 0);
    },
  );

  test('reason not-consumed: also of a raw file that no normalizer parses', async () => {
    const told = next('tasks.refused');
    await receiveRawFile(organisationWith(normalizer('dns')), ['boefje/other']);
    expect(await told).toMatchObject({ scheduler: 'normalizer', reason: 'not-consumed' });
  });

  test('reason queue-full: the event waits in hand, and its task is queued once there is room', async () => {
    const full = await openHouse();
    onTestFinished(() => full.stop());
    await full.start({ environment: { SCHEDULER_PQ_MAXSIZE: '1' } });
    const data = { boefje: { id: 'manual' }, input_ooi: host.reference, organization: 'aa' };
    await full.client.push('boefje', { organisation: 'aa', priority: 1, data });
    const { id: organisation } = addOrganisation(full.world, { plugins: [boefje('dns')] });
    const told = next('tasks.refused');
    await full.publish('scan_profile_mutations', scanProfileMutation(organisation, 'create', host));
    expect(await told).toMatchObject({ scheduler: 'boefje', reason: 'queue-full', count: 1 });
    const queued = next('tasks.queued');
    await full.client.pop('boefje');
    expect(await queued).toMatchObject({ tasks: [{ organisation }] });
  });

  test('reason rank-failed: the event is dead-lettered with what the ranker threw, and a person’s task is queued', async () => {
    const unsound = await openHouse();
    onTestFinished(() => unsound.stop());
    const actors = new URL('../fixtures/unsound/', import.meta.url);
    const environment = {
      SCHEDULER_ACTORS: 'boefje',
      SCHEDULER_BOEFJE_RANKER: 'throws',
      SCHEDULER_EVENT_MAX_ATTEMPTS: '1',
    };
    await unsound.start({ actors, environment });
    const { id: organisation } = addOrganisation(unsound.world, { plugins: [boefje('dns')] });
    const [told, dead] = [next('tasks.refused'), next('event.dead-lettered')];
    const mutation = scanProfileMutation(organisation, 'create', host);
    await unsound.publish('scan_profile_mutations', mutation);
    expect(await told).toMatchObject({ scheduler: 'boefje', reason: 'rank-failed', count: 1 });
    expect(await dead).toMatchObject({ code: 'RANK_FAILED', message: 'ranker throws threw: no idea' });
    expect(JSON.parse((await unsound.takeDead('scan_profile_mutations'))!.body)).toEqual(mutation);
    const data = { boefje: { id: 'dns' }, input_ooi: host.reference, organization: organisation };
    expect(await unsound.client.push('boefje', { organisation, priority: 1, data })).toMatchObject({
      status: 'queued',
    });
  });
});
