import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ExplanationView } from '../../src/protocol/operator-lists.ts';
import { boefjeRun, rawFileReceived, scanProfileMutation } from '../../src/simulator/events.ts';
import type { SimulatedPlugin } from '../../src/simulator/plugins.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
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

/** A situation in which a scheduler declines: the request to `rota explain`, and what makes the scheduler decide. */
interface Way {
  readonly asked: object;
  readonly act: () => Promise<unknown>;
}

function onMutation(organisation: string): Way {
  const asked = { organisation, boefje: 'dns', ooi: host.reference };
  return { asked, act: () => house.mutate(organisation, host) };
}

/** Of boefje `dns` and the host name. Not due yet, so that the actor's own clock does not come first. */
const scheduleOf = (organisation: string, disabled?: 'person') =>
  schedule(house.sql, { organisation, ooi: host.reference, due: 60, ...(disabled === undefined ? {} : { disabled }) });

async function fallDue(id: string): Promise<void> {
  await house.sql`UPDATE schedules SET deadline_at = now() - interval '1 minute' WHERE id = ${id}`;
  await house.client.ctl('reschedule', { actor: 'boefje' });
}

async function onDeadline(organisation: string): Promise<Way> {
  const id = await scheduleOf(organisation);
  return { asked: { id }, act: () => fallDue(id) };
}

function onRawFile(organisation: string, mimeTypes: readonly string[], size?: number): Way {
  const run = boefjeRun({ boefje: 'dns', inputOoi: host.reference, organisation, tookMs: 10 });
  const event = rawFileReceived(randomUUID(), run, mimeTypes);
  const raw_file = size === undefined ? event : { ...event, raw_data: { ...event.raw_data, size } };
  return { asked: { raw_file }, act: () => house.publish('raw_file_received', raw_file) };
}

/** The task that the first mutation made is handed out. */
async function running(): Promise<{ organisation: string; id: string; lease_id: string }> {
  const organisation = organisationWith(boefje('dns'));
  const queued = next('tasks.queued');
  await house.mutate(organisation, host);
  await queued;
  const [task] = await house.client.pop('boefje');
  return { organisation, id: task!.id, lease_id: task!.lease_id };
}

/** The shortest way to each reason that lies in what KAT says and does. */
const ways: Partial<Record<RefusalReason, () => Way | Promise<Way>>> = {
  'organisation-gone': () => onMutation('absent'),
  'boefje-gone': () => onDeadline(organisationWith()),
  'boefje-disabled': () => onMutation(organisationWith(boefje('dns', { enabled: false }))),
  'not-a-boefje': () => onDeadline(organisationWith(normalizer('dns'))),
  'not-consumed': () => onDeadline(organisationWith(boefje('dns', { consumes: ['IPAddressV4'] }))),
  'ooi-gone': () => onDeadline(addOrganisation(house.world, { plugins: [boefje('dns')] }).id),
  'no-scan-profile': () =>
    onDeadline(addOrganisation(house.world, { plugins: [boefje('dns')], objects: [hostname('example.nl', null)] }).id),
  'scan-level-too-low': () => onMutation(organisationWith(boefje('dns', { scan_level: 3 }))),
  'no-run-on': () => onMutation(organisationWith(boefje('dns', { run_on: ['create'] }))),
  'cron-unreadable': () => onDeadline(organisationWith(boefje('dns', { cron: 'R 2 * * *' }))),
  'still-running': async () => onMutation((await running()).organisation),
  'already-queued': async () => {
    const organisation = organisationWith(boefje('dns'));
    const queued = next('tasks.queued');
    await house.mutate(organisation, host);
    await queued;
    return onMutation(organisation);
  },
  'grace-period': async () => {
    const { organisation, ...task } = await running();
    await house.client.patch({ ...task, status: 'completed' });
    return onMutation(organisation);
  },
  failing: async () => {
    const organisation = organisationWith(boefje('dns'));
    const hash = boefjeHash({ boefjeId: 'dns', inputOoi: host.reference, organisation });
    for (const hours of [50, 25])
      await house.sql`INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
        SELECT gen_random_uuid(), 'boefje', ${organisation}, 'boefje', ${hash}, 2, '{}', 'FAILED', at, at
        FROM (SELECT now() - ${hours}::integer * interval '1 hour' AS at) AS ended`;
    return onDeadline(organisation);
  },
  'schedule-disabled': async () => {
    const id = await scheduleOf(organisationWith(boefje('dns')), 'person');
    const act = async () => {
      await rota.ask('PATCH', `/schedules/${id}`, { enabled: true });
      house.kat.resetCounters();
      house.kat.outage('octopoes', 'hang');
      await fallDue(id);
      // The actor has found it enabled, and asks Octopoes.
      await expect
        .poll(() => Object.keys(house.kat.counters().octopoes))
        .toContain('POST /:organisation/objects/load_bulk');
      expect(await rota.ask('PATCH', `/schedules/${id}`, { enabled: false })).toMatchObject({ status: 200 });
      house.kat.outage('octopoes', 'none');
    };
    return { asked: { id }, act };
  },
  'normalizer-disabled': () => onRawFile(organisationWith(normalizer('dns', { enabled: false })), ['boefje/dns']),
  'error-mime-type': () => onRawFile(organisationWith(normalizer('dns')), ['boefje/dns', 'error/boefje']),
  'empty-raw-file': () => onRawFile(organisationWith(normalizer('dns')), ['boefje/dns'], 0),
  'no-mime-type': () => onRawFile(organisationWith(normalizer('dns')), []),
};

const explain = (asked: object, asker: House = house) =>
  asker.client.ctl<ExplanationView>('explain', asked).then(({ verdict, reason }) => ({ verdict, reason }));

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
    'reason %s: explained, reported once, and no task is made',
    async (reason) => {
      const { asked, act } = await ways[reason]!();
      expect(await explain(asked)).toEqual({ verdict: 'refused', reason });
      const told = next('tasks.refused');
      await act();
      const scheduler = ofNormalizers.includes(reason) ? 'normalizer' : 'boefje';
      expect(await told).toEqual({ name: 'tasks.refused', scheduler, reason, count: 1 });
      expect(await house.client.pop(scheduler, { limit: 10 })).toHaveLength(reason === 'already-queued' ? 1 : 0);
    },
  );

  test('reason not-consumed: also of a raw file that no normalizer parses', async () => {
    const { asked, act } = onRawFile(organisationWith(normalizer('dns')), ['boefje/other']);
    expect(await explain(asked)).toEqual({ verdict: 'refused', reason: 'not-consumed' });
    const told = next('tasks.refused');
    await act();
    expect(await told).toMatchObject({ scheduler: 'normalizer', reason: 'not-consumed' });
  });

  test.each(['already-queued', 'still-running'] as const)(
    'reason %s: also of a raw file that came before',
    async (reason) => {
      const { asked, act } = onRawFile(organisationWith(normalizer('dns')), ['boefje/dns']);
      expect(await explain(asked)).toEqual({ verdict: 'would-run', reason: null });
      const queued = next('tasks.queued');
      await act();
      const [made] = (await queued).tasks;
      if (reason === 'still-running') await house.client.pop('normalizer');
      expect(await explain(asked)).toEqual({ verdict: 'refused', reason });
      expect(await explain({ id: made!.id })).toEqual({ verdict: 'refused', reason });
      const told = next('tasks.refused');
      await act();
      expect(await told).toMatchObject({ scheduler: 'normalizer', reason });
      await house.client.ctl('change-tasks', { action: 'cancel', ids: [made!.id] });
    },
  );

  test('none, where a boefje would run: it is queued', async () => {
    const { asked, act } = onMutation(organisationWith(boefje('dns')));
    expect(await explain(asked)).toEqual({ verdict: 'would-run', reason: null });
    const queued = next('tasks.queued');
    await act();
    expect(await queued).toMatchObject({ scheduler: 'boefje', tasks: [{}] });
    await house.client.pop('boefje');
  });

  test('reason queue-full: the event waits unacknowledged, and its task is queued once there is room', async () => {
    const full = await openHouse();
    onTestFinished(() => full.stop());
    await full.start({ environment: { SCHEDULER_PQ_MAXSIZE: '1' } });
    const data = { boefje: { id: 'manual' }, input_ooi: host.reference, organization: 'aa' };
    await full.client.push('boefje', { organisation: 'aa', priority: 1, data });
    const { id: organisation } = addOrganisation(full.world, { plugins: [boefje('dns')], objects: [host] });
    const asked = { organisation, boefje: 'dns', ooi: host.reference };
    expect(await explain(asked, full)).toEqual({ verdict: 'refused', reason: 'queue-full' });
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
    const { id: organisation } = addOrganisation(unsound.world, { plugins: [boefje('dns')], objects: [host] });
    const asked = { organisation, boefje: 'dns', ooi: host.reference };
    expect(await explain(asked, unsound)).toEqual({ verdict: 'refused', reason: 'rank-failed' });
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
