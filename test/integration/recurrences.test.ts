import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SimulatedBoefje } from '../../src/simulator/plugins.ts';
import type { ExplanationView, ListedTask, Page, ScheduleView } from '../../src/protocol/operator-lists.ts';
import { next } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { schedule } from '../support/schedule-rows.ts';

/** When boefjes run again, seen from outside: events in, tasks and schedules out. */
let house: House;
let rota: TestRota;

beforeAll(async () => {
  house = await openHouse();
  rota = await house.start();
});
afterAll(() => house.stop());

const host = hostname('example.nl');
const minute = 60_000;

const organisationWith = (fields: Partial<SimulatedBoefje>) =>
  addOrganisation(house.world, { plugins: [boefje('dns', fields)], objects: [host] }).id;

interface Row {
  readonly deadline_at: Date | null;
  readonly enabled: boolean;
  readonly disabled_reason: string | null;
  readonly schedule: string | null;
}

async function schedulesOf(organisation: string): Promise<readonly Row[]> {
  return house.sql<Row[]>`SELECT deadline_at, enabled, disabled_reason, schedule FROM schedules
    WHERE organisation = ${organisation}`;
}

/** An event queues it, or the actor's own look that came first; a worker does it. */
async function run(organisation: string, status?: 'failed'): Promise<void> {
  await house.mutate(organisation, host, 'create');
  await work(organisation, status);
}

/** Does what is queued, or will be. */
async function work(organisation: string, status: 'completed' | 'failed' = 'completed'): Promise<void> {
  const filters = { filters: [{ column: 'organisation', operator: 'eq' as const, value: organisation }] };
  const [task] = await house.client.pop('boefje', { filters, wait_ms: 20_000 });
  await house.client.patch({ id: task!.id, lease_id: task!.lease_id, status });
}

/** As if so many minutes had gone by. */
async function pass(organisation: string, minutes: number): Promise<void> {
  const gone = `${minutes} minutes`;
  await house.sql`UPDATE schedules SET deadline_at = deadline_at - ${gone}::text::interval,
    interval_deadline = interval_deadline - ${gone}::text::interval, modified_at = now() WHERE organisation = ${organisation}`;
  await house.sql`UPDATE tasks SET created_at = created_at - ${gone}::text::interval,
    modified_at = modified_at - ${gone}::text::interval WHERE organisation = ${organisation}`;
}

/** A tick examines no schedule twice: time that passes within one leaves it to the next, a minute later. */
async function fallDue(organisation: string): Promise<void> {
  const queued = async () => {
    await house.sql`UPDATE schedules SET claimed_until = NULL WHERE organisation = ${organisation}`;
    await house.client.ctl('reschedule', { actor: 'boefje' });
    const rows = await house.sql`SELECT FROM queue WHERE organisation = ${organisation}`;
    return rows.length;
  };
  await expect.poll(queued).toBe(1);
}

test('lessons 1: an interval keeps its period: a boefje of 60 minutes runs every 60, it is not refused for its own last run, and its deadlines do not drift', async () => {
  const organisation = organisationWith({ interval: 60 });
  const began = Date.now();
  await run(organisation);
  const [first] = await schedulesOf(organisation);
  const offset = first!.deadline_at!.getTime() - began - 60 * minute;
  expect(offset).toBeGreaterThanOrEqual(0);
  expect(offset).toBeLessThan(6 * minute + 30_000);
  let due = first!.deadline_at!.getTime();
  for (let period = 1; period <= 3; period += 1) {
    // Its run ended a minute after it began, and the look comes a minute late.
    const elapsed = Math.ceil((due - Date.now()) / minute) + 1;
    await pass(organisation, elapsed);
    await house.sql`UPDATE tasks SET modified_at = modified_at + interval '1 minute' WHERE organisation = ${organisation}`;
    await fallDue(organisation);
    await work(organisation);
    const [next] = await schedulesOf(organisation);
    expect(next!.deadline_at!.getTime()).toBe(due - elapsed * minute + 60 * minute);
    due = next!.deadline_at!.getTime();
  }
});

test('lessons 1: run_on alone: a schedule that mula made is disabled at the first look, and says why', async () => {
  const organisation = organisationWith({ run_on: ['create'] });
  await schedule(house.sql, { organisation, ooi: host.reference, due: 60 });
  await house.client.ctl('look', { organisations: [organisation] });
  await expect
    .poll(() => schedulesOf(organisation))
    .toMatchObject([{ enabled: false, disabled_reason: 'run-on-only' }]);
  await run(organisation);
});

test('lessons 1: run_on with a cron or an interval: an event runs it and the cron does; an operation that it does not run on schedules it', async () => {
  const organisation = organisationWith({ run_on: ['create'], cron: '0 3 * * *' });
  await run(organisation);
  expect(await schedulesOf(organisation)).toMatchObject([{ enabled: true, schedule: '0 3 * * *' }]);
  await pass(organisation, 24 * 60);
  await fallDue(organisation);
  await work(organisation);

  // It has no OOI yet, so that no look queues it.
  const plugins = [boefje('dns', { run_on: ['update'], cron: '0 3 * * *' })];
  const updates = addOrganisation(house.world, { plugins }).id;
  await house.mutate(updates, host, 'create');
  await expect.poll(() => schedulesOf(updates)).toMatchObject([{ enabled: true, schedule: '0 3 * * *' }]);
  const { body } = await rota.ask<{ count: number }>('GET', `/tasks?organisation=${updates}`);
  expect(body.count).toBe(0);
});

test('lessons 1: a cron that cannot be read: an event runs the boefje, and its schedule says why it does not', async () => {
  const organisation = organisationWith({ cron: 'R 2 * * *' });
  await run(organisation);
  expect(await schedulesOf(organisation)).toMatchObject([
    { enabled: false, disabled_reason: 'cron-unreadable', schedule: 'R 2 * * *' },
  ]);
});

test('a changed interval moves the deadlines at the next look', async () => {
  const organisation = organisationWith({ interval: 7 * 24 * 60 });
  const made = () => schedulesOf(organisation).then(([row]) => (row?.deadline_at?.getTime() ?? 0) - Date.now());
  await house.client.ctl('look', { organisations: [organisation] });
  await expect.poll(made).toBeGreaterThan(6 * 24 * 60 * minute);
  const { plugins } = house.world.organisations.get(organisation)!;
  plugins.set('dns', boefje('dns', { interval: 60 }));
  await house.client.ctl('look', { organisations: [organisation] });
  await expect.poll(made).toBeLessThan(66 * minute);
});

describe('a boefje that fails on an OOI', () => {
  const days = 24 * 60;
  const metric = async () => {
    const text = await (await fetch(`${rota.api}/metrics`)).text();
    return Number(/^rota_failures_in_a_row_count\{scheduler="boefje"\} (\d+)/m.exec(text)?.[1] ?? 0);
  };
  const scheduleOf = async (organisation: string) => {
    const { results } = await house.client.ctl<Page<ScheduleView>>('schedules', { organisation });
    return results[0]!;
  };
  const dueInDays = (at: string | null) => (Date.parse(at!) - Date.now()) / (days * minute);

  /** Its period of a day passes: it is queued again. */
  async function dayPasses(organisation: string): Promise<void> {
    await pass(organisation, days + 6 * 60);
    await fallDue(organisation);
  }

  /** The schedule is examined, and moved without a task. */
  async function delayed(organisation: string): Promise<readonly number[]> {
    const told = next('schedules.delayed');
    for (;;) {
      await house.sql`UPDATE schedules SET deadline_at = now(), claimed_until = NULL, modified_at = now()
        WHERE organisation = ${organisation}`;
      await house.client.ctl('reschedule', { actor: 'boefje' });
      // A tick that is under way examines no schedule twice: it may be that of the task before.
      const heard = await Promise.race([told, delay(2_000, null)]);
      if (heard !== null) return heard.failures;
    }
  }

  test('waits twice as long after each failure, is seen by operators, and runs at once where a person asks', async () => {
    const organisation = organisationWith({});
    const before = await metric();
    await run(organisation, 'failed');
    await dayPasses(organisation);
    await work(organisation, 'failed');
    expect(await delayed(organisation)).toEqual([2]);
    const { id, deadline_at, streak } = await scheduleOf(organisation);
    expect(dueInDays(deadline_at)).toBeCloseTo(2, 2);
    expect(streak).toMatchObject({ failures: 2, bounded: false });
    expect(await metric()).toBe(before + 1);
    const tasks = await house.client.ctl<Page<ListedTask>>('tasks', { organisation });
    expect(tasks.results.map(({ status, streak }) => [status, streak?.failures])).toEqual([
      ['failed', 2],
      ['failed', 2],
    ]);
    const explained = await house.client.ctl<ExplanationView>('explain', { id });
    expect(explained).toMatchObject({ verdict: 'refused', reason: 'failing' });
    expect(explained.steps.find(({ rule }) => rule === 'failures')).toMatchObject({
      outcome: 'refuses',
      fact: expect.stringMatching(
        /^failed 2 times in a row since .*; its period of 1 day became 2 days, until /,
      ) as string,
    });

    await pass(organisation, 2 * days);
    await fallDue(organisation);
    await work(organisation, 'failed');
    expect(await delayed(organisation)).toEqual([3]);
    expect(dueInDays((await scheduleOf(organisation)).deadline_at)).toBeCloseTo(4, 2);

    // Beyond the grace period, within the four days.
    await pass(organisation, days + 60);
    await house.client.ctl('run-schedule', { id });
    expect((await house.client.ctl<ScheduleView>('schedule-details', { id })).asked).toBe(true);
    await expect.poll(() => house.sql`SELECT FROM queue WHERE organisation = ${organisation}`).toHaveLength(1);
    await work(organisation);
    expect((await scheduleOf(organisation)).streak).toBeNull();
    await dayPasses(organisation);
    await work(organisation);
  });

  test('runs on an event about its OOI, and by its schedule once the boefje is a new version', async () => {
    const organisation = organisationWith({ version: '1' });
    // Seen before: the look below must find no boefje that is new to it, and queue nothing.
    await house.client.ctl('look', { organisations: [organisation] });
    await expect.poll(() => house.sql`SELECT FROM seen_boefjes WHERE organisation = ${organisation}`).toHaveLength(1);
    await run(organisation, 'failed');
    for (let times = 2; times <= 4; times += 1) {
      await pass(organisation, days + 6 * 60);
      await run(organisation, 'failed');
    }
    expect(await delayed(organisation)).toEqual([4]);
    expect(dueInDays((await scheduleOf(organisation)).deadline_at)).toBeCloseTo(8, 2);
    const { plugins } = house.world.organisations.get(organisation)!;
    plugins.set('dns', boefje('dns', { version: '2' }));
    // The actor's list of plug-ins is at most 30 s old; a look asks anew.
    await house.client.ctl('look', { organisations: [organisation] });
    const { id } = await scheduleOf(organisation);
    await pass(organisation, 8 * days - 60);
    const explained = await house.client.ctl<ExplanationView>('explain', { id });
    expect(explained.steps.find(({ rule }) => rule === 'failures')).toMatchObject({
      outcome: 'passes',
      fact: expect.stringContaining('as version 1; it is version 2 now') as string,
    });
    expect(explained).toMatchObject({ verdict: 'would-run' });
  });
});
