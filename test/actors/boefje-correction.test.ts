import { expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import type { Plugin } from '../../src/kat/kat.ts';
import type { DueSchedule, ScheduleSettlement } from '../../src/protocol/requests.ts';
import { deliver, outcomeOf } from '../support/deliveries.ts';
import { boefje, outageOf } from '../support/kat-ports.ts';
import { hour, noon, Ports } from '../support/ports.ts';

function pushed(fields: Partial<DueSchedule> = {}): DueSchedule {
  const data = { boefje: { id: 'dns' }, input_ooi: null, organization: 'aa' };
  const defaults = {
    id: 's',
    version: 'v1',
    organisation: 'aa',
    hash: 'h',
    enabled: true,
    schedule: null,
    deadlineAt: noon + 30 * hour,
  };
  return { ...defaults, data, ...fields };
}

async function correct(plugin: Plugin | null, schedule = pushed()): Promise<readonly ScheduleSettlement[]> {
  const it = new Ports('boefje');
  it.settings = { gracePeriodSeconds: 86_400, jitterSeconds: 0 };
  it.organisations = { aa: { plugins: plugin ? [plugin] : [] } };
  it.schedules = [schedule];
  await deliver(boefjeScheduler.start(it.setup)['correct-schedules'], { kind: 'correct-schedules', ids: ['s'] });
  return it.requests('settle-schedules').flatMap(({ settlements }) => settlements);
}

test("what a person pushed gets the boefje's cron or interval", async () => {
  expect(await correct(boefje('dns', { cron: '0 3 * * *' }))).toEqual([
    { id: 's', version: 'v1', schedule: '0 3 * * *', deadlineAt: '2026-03-03T03:00:00.000Z', inherited: true },
  ]);
  expect(await correct(boefje('dns', { interval: 30 }))).toEqual([
    {
      id: 's',
      version: 'v1',
      schedule: null,
      deadlineAt: '2026-03-02T12:30:00.000Z',
      inherited: false,
      byInterval: true,
    },
  ]);
});

test('without either the default of the push stays', async () => {
  expect(await correct(boefje('dns'))).toEqual([]);
  expect(await correct(boefje('dns'), pushed({ schedule: '0 5 * * *' }))).toEqual([]);
});

test('lessons 0.7: a cron that the boefje no longer has goes', async () => {
  const settlements = await correct(boefje('dns'), pushed({ schedule: '0 3 * * *', inherited: true }));
  expect(settlements.map(({ schedule, inherited }) => [schedule, inherited])).toEqual([[null, false]]);
});

test('of a boefje that runs on operations only the schedule is disabled; with a recurrence beside it follows that', async () => {
  expect(await correct(boefje('dns', { runOn: ['create'] }))).toEqual([
    { id: 's', version: 'v1', disabled: 'run-on-only' },
  ]);
  expect(await correct(boefje('dns', { runOn: ['create'], cron: '0 3 * * *' }))).toMatchObject([
    { schedule: '0 3 * * *', deadlineAt: '2026-03-03T03:00:00.000Z', inherited: true },
  ]);
});

test('of a boefje whose cron cannot be read the schedule is disabled, with that cron for people to see', async () => {
  expect(await correct(boefje('dns', { cron: 'R 2 * * *' }))).toEqual([
    { id: 's', version: 'v1', schedule: 'R 2 * * *', inherited: true, disabled: 'cron-unreadable' },
  ]);
});

test('a disabled schedule, and one whose boefje Katalogus does not know, is left alone', async () => {
  expect(await correct(boefje('dns', { interval: 30 }), pushed({ enabled: false }))).toEqual([]);
  expect(await correct(null)).toEqual([]);
});

test('of what is pushed for a boefje without a recurrence nothing is read, unless it has a cron from that boefje', async () => {
  const it = new Ports('boefje');
  it.organisations = { aa: { plugins: [boefje('dns'), boefje('nmap', { interval: 30 })] } };
  const of = (id: string, plugin: string, inherited = false) => ({ id, organisation: 'aa', plugin, inherited });
  const pushes = [of('plain', 'dns'), of('unknown', 'gone'), of('left over', 'dns', true), of('interval', 'nmap')];
  const message = { kind: 'correct-schedules', ids: pushes.map(({ id }) => id), pushed: pushes } as const;
  await deliver(boefjeScheduler.start(it.setup)['correct-schedules'], message);
  expect(it.requests('read-schedules')).toEqual([{ ids: ['left over', 'interval'] }]);
});

test('while Katalogus is away nothing is read of what was pushed', async () => {
  const it = new Ports('boefje');
  it.outage = (name) => {
    if (name === 'plugins') throw outageOf('katalogus');
  };
  const pushes = [{ id: 's', organisation: 'aa', plugin: 'dns', inherited: true }];
  const message = { kind: 'correct-schedules', ids: ['s'], pushed: pushes } as const;
  await deliver(boefjeScheduler.start(it.setup)['correct-schedules'], message);
  expect([it.times('read-schedules'), it.warnings.length]).toEqual([0, 1]);
});

test('is best effort: an outage of Katalogus leaves the default and says so', async () => {
  const it = new Ports('boefje');
  it.schedules = [pushed()];
  it.outage = (name) => {
    if (name === 'plugins') throw outageOf('katalogus');
  };
  const behavior = boefjeScheduler.start(it.setup);
  const outcomes = await deliver(behavior['correct-schedules'], { kind: 'correct-schedules', ids: ['s'] });
  expect([outcomes.map(outcomeOf), it.times('settle-schedules'), it.warnings.length]).toEqual([['done'], 0, 1]);
});
