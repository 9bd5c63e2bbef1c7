import { describe, expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import type { Plugin } from '../../src/kat/kat.ts';
import type { DueSchedule } from '../../src/protocol/requests.ts';
import { deliver } from '../support/deliveries.ts';
import { day, object, ooi, ports as due, schedule } from '../support/due-boefjes.ts';
import { boefje } from '../support/kat-ports.ts';
import { hour, noon, type Ports } from '../support/ports.ts';

const tomorrow = { deadlineAt: noon + day };

/** An organisation that was looked at when its boefjes had these recurrences; null for one that mula worked for. */
function ports(plugin: Plugin, recurrences: Record<string, string> | null, ...schedules: DueSchedule[]): Ports {
  const it = due([plugin], ...schedules);
  it.settings = { gracePeriodSeconds: 86_400, jitterSeconds: 0 };
  it.seen = [{ organisation: 'aa', boefjes: [plugin.id], recurrences }];
  return it;
}

function look(it: Ports) {
  return deliver(boefjeScheduler.start(it.setup)['look-for-new-boefjes'], { kind: 'look-for-new-boefjes' });
}

describe('a changed recurrence moves deadlines at the next look, without waiting until they are due', () => {
  test.each<[string, Partial<Plugin>, Record<string, string> | null, string]>([
    ['a cron that is new', { cron: '0 22 * * *' }, {}, '2026-03-02T22:00:00.000Z'],
    ['a cron that moved', { cron: '0 23 * * *' }, { dns: 'cron 0 22 * * *' }, '2026-03-02T23:00:00.000Z'],
    ['an interval that is new', { interval: 30 }, {}, '2026-03-02T12:30:00.000Z'],
    ['an interval that is shorter', { interval: 30 }, { dns: 'interval 2880' }, '2026-03-02T12:30:00.000Z'],
    ['an interval that is longer', { interval: 2880 }, { dns: 'interval 30' }, '2026-03-04T12:00:00.000Z'],
    ['a cron that gave way to an interval', { interval: 60 }, { dns: 'cron 0 22 * * *' }, '2026-03-02T13:00:00.000Z'],
    ['what mula left, which ignores intervals', { interval: 60 }, null, '2026-03-02T13:00:00.000Z'],
  ])('%s', async (_name, fields, recurrences, expected) => {
    const it = ports(boefje('dns', fields), recurrences, schedule({ ...tomorrow, byInterval: true }));
    await look(it);
    expect(new Date(it.schedules[0]!.deadlineAt!).toISOString()).toBe(expected);
    expect(it.pushed).toEqual([]);
    const settled = it.times('settle-schedules');
    await look(it);
    expect([it.times('settle-schedules'), it.times('schedules-of-boefje')]).toEqual([settled, 1]);
  });

  test('a cron that is gone takes the deadline of a year with it, and leaves a cron that is the schedule’s own', async () => {
    const year = { deadlineAt: noon + 365 * day };
    const it = ports(
      boefje('dns'),
      { dns: 'cron 0 0 1 3 *' },
      schedule({ id: 'a', ...year, schedule: '0 0 1 3 *', inherited: true }),
      schedule({ id: 'b', ooi: 'Hostname|internet|b', ...year, schedule: '0 5 * * *' }),
    );
    await look(it);
    expect(it.schedules).toMatchObject([
      { schedule: null, inherited: false, deadlineAt: noon + day },
      { schedule: '0 5 * * *', deadlineAt: Date.parse('2026-03-03T05:00:00.000Z') },
    ]);
    expect(it.seen).toEqual([{ organisation: 'aa', boefjes: ['dns'], recurrences: {} }]);
  });

  test('what is due already is left to the rescheduling: moving it would lose that run', async () => {
    const it = ports(boefje('dns', { cron: '0 22 * * *' }), {}, schedule({ deadlineAt: noon }));
    await look(it);
    expect(it.schedules[0]!.deadlineAt).toBe(noon);
  });

  test('all schedules of the boefje and no other, page by page', async () => {
    const many = Array.from({ length: 2_500 }, (_, n) =>
      schedule({ id: `s${n}`, ooi: `Hostname|internet|${n}`, ...tomorrow }),
    );
    const others = [
      schedule({ id: 'x', boefje: 'nmap', ...tomorrow }),
      schedule({ id: 'y', organisation: 'bb', ...tomorrow }),
    ];
    const it = ports(boefje('dns', { interval: 60 }), {}, ...many, ...others);
    await look(it);
    expect([it.times('schedules-of-boefje'), it.times('settle-schedules')]).toEqual([3, 3]);
    expect(it.schedules.filter(({ deadlineAt }) => deadlineAt === noon + hour)).toHaveLength(2_500);
    expect(it.schedules.filter(({ deadlineAt }) => deadlineAt === noon + day).map(({ id }) => id)).toEqual(['x', 'y']);
  });

  test('a look that the drain cut short is done again', async () => {
    const many = Array.from({ length: 1_500 }, (_, n) => schedule({ id: `s${n}`, ...tomorrow }));
    const it = ports(boefje('dns', { interval: 60 }), {}, ...many);
    it.outage = (name) => {
      if (name === 'settle-schedules') it.stopping.abort();
    };
    await look(it);
    expect([it.times('settle-schedules'), it.seen[0]!.recurrences]).toEqual([1, {}]);
  });
});

describe('run_on', () => {
  test('with a recurrence: runs on its operation and is scheduled; another operation schedules it alone', async () => {
    const it = due([
      boefje('both', { runOn: ['update'], cron: '0 3 * * *' }),
      boefje('often', { runOn: ['create'], interval: 60 }),
    ]);
    it.schedules = [];
    const mutated = (operation: 'create' | 'update') =>
      deliver(boefjeScheduler.start(it.setup)['scan-profile-mutated'], {
        kind: 'scan-profile-mutated',
        operation,
        organisation: 'aa',
        ...object,
      });
    await mutated('create');
    expect([it.pairs, it.reasons]).toEqual([[`often aa ${ooi}`], ['no-run-on']]);
    expect(it.pushed[0]!.recurrence).toMatchObject({ byInterval: true });
    expect(it.schedules).toMatchObject([
      {
        data: { boefje: { id: 'both' }, input_ooi: ooi, organization: 'aa' },
        schedule: '0 3 * * *',
        inherited: true,
        deadlineAt: Date.parse('2026-03-03T03:00:00.000Z'),
        enabled: true,
      },
    ]);
    await mutated('update');
    expect(it.pairs).toEqual([`often aa ${ooi}`, `both aa ${ooi}`]);
  });

  test('alone: adopted schedules are disabled with reason run-on-only at the first look', async () => {
    const it = due([boefje('dns', { runOn: ['create'] })], schedule(tomorrow));
    await look(it);
    expect(it.schedules[0]).toMatchObject({ enabled: false, disabledReason: 'run-on-only', ...tomorrow });
    expect(it.pushed).toEqual([]);
  });

  test('they come back when the boefje has a recurrence again, also if it was disabled meanwhile', async () => {
    const it = ports(boefje('dns', { runOn: ['create'] }), {}, schedule(tomorrow));
    const actor = boefjeScheduler.start(it.setup)['look-for-new-boefjes'];
    const become = async (fields: Partial<Plugin>) => {
      it.organisations = { aa: { plugins: [boefje('dns', fields)] } };
      await deliver(actor, { kind: 'look-for-new-boefjes' });
      const { enabled, disabledReason, deadlineAt } = it.schedules[0]!;
      return [enabled, disabledReason ?? null, deadlineAt];
    };
    expect(await become({ runOn: ['create'] })).toEqual([false, 'run-on-only', noon + day]);
    expect(await become({ runOn: ['create'], interval: 60 })).toEqual([true, null, noon + hour]);
    expect(await become({ runOn: ['create'] })).toEqual([false, 'run-on-only', noon + hour]);
    expect(await become({ enabled: false })).toEqual([false, 'run-on-only', noon + hour]);
    expect(await become({})).toEqual([true, null, noon + day]);
  });
});

describe('a cron that cannot be read', () => {
  const unreadable = boefje('dns', { cron: 'R 2 * * *' });

  test('keeps the schedule, disabled with reason cron-unreadable, and warns of the boefje once', async () => {
    const it = ports(unreadable, {}, schedule(tomorrow));
    it.organisations['bb'] = { plugins: [unreadable] };
    const actor = boefjeScheduler.start(it.setup)['look-for-new-boefjes'];
    await deliver(actor, { kind: 'look-for-new-boefjes' });
    await deliver(actor, { kind: 'look-for-new-boefjes' });
    expect(it.schedules[0]).toMatchObject({
      enabled: false,
      disabledReason: 'cron-unreadable',
      schedule: 'R 2 * * *',
      inherited: true,
    });
    expect(it.reasons).toEqual(['cron-unreadable']);
    expect(it.warnings.map(({ fields }) => fields)).toMatchObject([{ boefje: 'dns', cron: 'R 2 * * *' }]);
  });

  test('is followed once it is corrected: at its next time, not at once', async () => {
    const it = ports(unreadable, {}, schedule(tomorrow));
    await look(it);
    it.organisations['aa'] = { plugins: [boefje('dns', { cron: '0 2 * * *' })] };
    await look(it);
    expect(it.schedules[0]).toMatchObject({
      enabled: true,
      schedule: '0 2 * * *',
      deadlineAt: Date.parse('2026-03-03T02:00:00.000Z'),
    });
  });
});
