import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSupervisorProcess, type SupervisorProcess } from '../../src/cli/demo/supervisor-process.ts';
import type { Finding } from '../../src/protocol/operator-status.ts';
import type { SimulatedBoefje } from '../../src/simulator/plugins.ts';
import type { Schedule } from '../../src/tasks/task.ts';
import { runCli } from '../support/cli.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { type House, openHouse } from '../support/rota.ts';

/** A supervisor whose machine's clock is wrong, on a database whose clock is right: a process of its own. */
const minute = 60_000;
const grace = 3_600_000;
const preload = fileURLToPath(new URL('../support/wrong-wall-clock.ts', import.meta.url));
const host = hostname('example.nl');

describe.for<[string, number]>([
  ['45 s behind', -45_000],
  ['an hour behind', -60 * minute],
  ['an hour ahead', 60 * minute],
  ['two hours ahead', 120 * minute],
])('a process whose clock is %s', ([, aheadMs]) => {
  let house: House;
  let rota: SupervisorProcess;

  beforeAll(async () => {
    house = await openHouse();
    rota = await startSupervisorProcess({
      ...house.environment,
      SCHEDULER_PQ_GRACE_PERIOD: String(grace / 1_000),
      SCHEDULER_BOEFJE_RANKER: 'created-at',
      NODE_OPTIONS: `--import=${preload}`,
      WALL_CLOCK_AHEAD_MS: String(aheadMs),
    });
  });
  afterAll(async () => {
    await rota?.stop();
    await house?.stop();
  });

  const organisationWith = (fields: Partial<SimulatedBoefje> = {}) =>
    addOrganisation(house.world, { plugins: [boefje('dns', fields)], objects: [host] }).id;

  async function databaseNow(): Promise<number> {
    const [row] = await house.sql<{ now: Date }[]>`SELECT clock_timestamp() AS now`;
    return row!.now.getTime();
  }

  /** A cron of every three minutes that ran two seconds ago. */
  async function cronJustGone(): Promise<{ cron: string; ranAt: number }> {
    const ranAt = Math.floor((await databaseNow()) / 1_000 - 2) * 1_000;
    const at = new Date(ranAt);
    return { cron: `${at.getUTCMinutes() % 3}-59/3 * * * * ${at.getUTCSeconds()}`, ranAt };
  }

  async function deadlineOf(organisation: string): Promise<number | undefined> {
    const [row] = await house.sql<{ deadline_at: Date }[]>`SELECT deadline_at FROM schedules
      WHERE organisation = ${organisation}`;
    return row?.deadline_at.getTime();
  }

  async function tasksOf(organisation: string): Promise<number> {
    return (await house.sql`SELECT FROM tasks WHERE organisation = ${organisation}`).length;
  }

  /** Does what is queued, or will be. */
  async function work(organisation: string, scheduler = 'boefje'): Promise<void> {
    const filters = { filters: [{ column: 'organisation', operator: 'eq' as const, value: organisation }] };
    const [task] = await house.client.pop(scheduler, { filters, wait_ms: 20_000 });
    await house.client.patch({ id: task!.id, lease_id: task!.lease_id, status: 'completed' });
  }

  async function run(organisation: string): Promise<void> {
    await house.mutate(organisation, host, 'create');
    await work(organisation);
  }

  /** Asks the actor to look until `seen` is true: the look of its own may be under way, and has passed this schedule. */
  async function lookUntil(actor: string, seen: () => Promise<boolean>): Promise<void> {
    const looked = async () => {
      await house.client.ctl('reschedule', { actor });
      return seen();
    };
    await expect.poll(looked, { interval: 100 }).toBe(true);
  }

  /** A whole tick of the actor that begins now: what falls due with this one is examined in it. */
  async function passTick(actor: 'boefje' | 'report', by: () => Promise<string>): Promise<void> {
    const sentinel = await by();
    await lookUntil(actor, async () => (await tasksOf(sentinel)) > 0);
  }

  const due = async (organisation: string, at: number) =>
    house.sql`UPDATE schedules SET deadline_at = ${new Date(at).toISOString()}::text::timestamptz,
      interval_deadline = CASE WHEN interval_deadline IS NOT NULL THEN ${new Date(at).toISOString()}::text::timestamptz END,
      claimed_until = NULL, modified_at = now() WHERE organisation = ${organisation}`;

  /** A report that is due. */
  async function dueReport(): Promise<string> {
    const { body } = await ask<Schedule>('POST', '/schedules', reportOf({ deadline_at: '2026-01-01T00:00:00Z' }));
    return body.organisation;
  }

  let reports = 0;
  function reportOf(fields: { schedule?: string; deadline_at?: string }) {
    reports += 1;
    const organisation = addOrganisation(house.world).id;
    const data = { report_recipe_id: `recipe-${reports}`, organisation_id: organisation };
    return { scheduler_id: 'report', organisation, data, ...fields };
  }

  async function ask<T>(method: string, path: string, body: unknown): Promise<{ status: number; body: T }> {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(rota.api + path, { method, headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as T };
  }

  test("a boefje's cron runs once per deadline, and at the right time", async () => {
    const { cron, ranAt } = await cronJustGone();
    const organisation = organisationWith({ cron });
    await run(organisation);
    expect(await deadlineOf(organisation)).toBe(ranAt + 3 * minute);
    await due(organisation, ranAt);
    await lookUntil('boefje', async () => (await tasksOf(organisation)) === 2);
    await expect.poll(() => deadlineOf(organisation)).toBe(ranAt + 3 * minute);
    await work(organisation);
    await passTick('boefje', async () => {
      const other = organisationWith();
      await run(other);
      await due(other, ranAt - grace);
      await house.sql`UPDATE tasks SET organisation = 'past', hash = 'past' WHERE organisation = ${other}`;
      return other;
    });
    expect(await tasksOf(organisation)).toBe(2);
  });

  test("a report's cron, set over REST, runs once per deadline, and at the right time", async () => {
    const { cron, ranAt } = await cronJustGone();
    const { status, body } = await ask<Schedule>('POST', '/schedules', reportOf({ schedule: cron }));
    expect(status).toBe(201);
    expect(Date.parse(body.deadline_at!)).toBe(ranAt + 3 * minute);
    await due(body.organisation, ranAt);
    await lookUntil('report', async () => (await tasksOf(body.organisation)) === 1);
    await expect.poll(() => deadlineOf(body.organisation)).toBe(ranAt + 3 * minute);
    await work(body.organisation, 'report');
    await passTick('report', dueReport);
    expect(await tasksOf(body.organisation)).toBe(1);
  });

  test('a cron that is given later, over REST or by the command line, has its next time as the deadline', async () => {
    const { body } = await ask<Schedule>('POST', '/schedules', reportOf({ deadline_at: '2099-01-01T00:00:00Z' }));
    const overRest = await cronJustGone();
    const patched = await ask<Schedule>('PATCH', `/schedules/${body.id}`, { schedule: overRest.cron });
    expect(Date.parse(patched.body.deadline_at!)).toBe(overRest.ranAt + 3 * minute);
    const byHand = await cronJustGone();
    const env = {
      NATS_URL: house.environment['NATS_URL']!,
      SCHEDULER_NATS_PREFIX: house.environment['SCHEDULER_NATS_PREFIX']!,
    };
    const { stdout } = await runCli(['schedules', 'set-cron', body.id, byHand.cron, '--json'], { env });
    expect(Date.parse((JSON.parse(stdout) as Schedule).deadline_at!)).toBe(byHand.ranAt + 3 * minute);
  });

  test('what an operator runs now is due now', async () => {
    const { body } = await ask<Schedule>('POST', '/schedules', reportOf({ deadline_at: '2099-01-01T00:00:00Z' }));
    const { deadline_at: deadline } = await house.client.ctl<Schedule>('run-schedule', { id: body.id });
    const now = await databaseNow();
    expect(now - Date.parse(deadline!)).toBeGreaterThanOrEqual(0);
    expect(now - Date.parse(deadline!)).toBeLessThan(10_000);
    await work(body.organisation, 'report');
  });

  test("a boefje's interval is counted by the database's clock", async () => {
    const organisation = organisationWith({ interval: 60 });
    const before = await databaseNow();
    await run(organisation);
    const first = (await deadlineOf(organisation))! - before;
    expect(first).toBeGreaterThan(60 * minute - 1_000);
    expect(first).toBeLessThan(66 * minute + 30_000);
    await due(organisation, before);
    await lookUntil('boefje', async () => (await tasksOf(organisation)) === 2);
    await expect.poll(() => deadlineOf(organisation)).toBe(before + 60 * minute);
  });

  test('the grace period ends when it ends', async () => {
    const organisation = organisationWith();
    await run(organisation);
    const endedAt = (await databaseNow()) - grace + 20_000;
    const ended = (at: number) =>
      house.sql`UPDATE tasks SET modified_at = ${new Date(at).toISOString()}::text::timestamptz
        WHERE organisation = ${organisation}`;
    await ended(endedAt);
    await due(organisation, endedAt);
    await lookUntil('boefje', async () => (await deadlineOf(organisation)) === endedAt + grace);
    expect(await tasksOf(organisation)).toBe(1);
    await ended(endedAt - 25_000);
    await due(organisation, endedAt);
    await lookUntil('boefje', async () => (await tasksOf(organisation)) === 2);
  });

  test('tasks are ranked, and chosen by their age, as old as they are', async () => {
    const organisation = organisationWith();
    await house.mutate(organisation, host, 'create');
    await expect.poll(() => tasksOf(organisation)).toBe(1);
    const [row] = await house.sql<{ wait: number }[]>`SELECT extract(epoch FROM created_at)::float8 - rank AS wait
      FROM queue WHERE organisation = ${organisation}`;
    expect(row!.wait).toBeGreaterThanOrEqual(-1);
    expect(row!.wait).toBeLessThan(20);
    await house.sql`UPDATE tasks SET created_at = now() - interval '30 seconds' WHERE organisation = ${organisation}`;
    const olderThan = async (seconds: number) =>
      (await house.client.ctl<{ count: number }>('tasks', { organisation, older_than_seconds: seconds })).count;
    expect(await olderThan(10)).toBe(1);
    expect(await olderThan(60)).toBe(0);
  });

  test('the doctor says by how much it is wrong', async () => {
    const { findings } = await house.client.ctl<{ findings: Finding[] }>('doctor');
    const clock = findings.find(({ about }) => about === 'clock')!;
    expect(clock.level).toBe('problem');
    expect(Math.abs(Number(/-?\d+/.exec(clock.finding)![0]) + aheadMs)).toBeLessThan(5_000);
  });
});
