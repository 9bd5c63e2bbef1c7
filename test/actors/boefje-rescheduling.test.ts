import { describe, expect, test } from 'vitest';
import type { LatestTask } from '../../src/protocol/requests.ts';
import { day, object, ooi, ports, schedule, settlements, tick } from '../support/due-boefjes.ts';
import { boefje } from '../support/kat-ports.ts';
import { hour, noon, type Ports } from '../support/ports.ts';

function latest(it: Ports, fields: Partial<LatestTask>): void {
  it.latest = it.schedules.map(({ hash }) => ({
    hash,
    id: 'earlier',
    status: 'completed',
    createdAt: noon - day,
    modifiedAt: noon - day,
    ...fields,
  }));
}

describe('a due schedule', () => {
  test('is queued and moves to its next deadline', async () => {
    const it = ports();
    await tick(it);
    expect(it.pairs).toEqual([`dns aa ${ooi}`]);
    expect(it.schedules[0]!.deadlineAt).toBe(noon + day);
    expect(it.pushed[0]!.recurrence).toEqual({
      schedule: null,
      deadlineAt: new Date(noon + day).toISOString(),
      inherited: false,
      // So that the schedule stays as it is where a person has changed it meanwhile.
      version: 'v1',
    });
  });

  test('without an OOI is queued without asking Octopoes', async () => {
    const it = ports([boefje('dns')], schedule({ ooi: null }));
    await tick(it);
    expect(it.pairs).toEqual(['dns aa null']);
    expect(it.times('objectsByReference')).toBe(0);
  });

  test('whose cron decided that it is due runs within the grace period', async () => {
    const it = ports([boefje('dns', { cron: '0 12 * * *' })]);
    latest(it, { modifiedAt: noon - day + 5 * 60_000 });
    await tick(it);
    expect(it.pairs).toHaveLength(1);
  });

  test('within the grace period moves to its end, not a full period further', async () => {
    const it = ports();
    latest(it, { modifiedAt: noon - 23 * hour });
    await tick(it);
    expect(it.reasons).toEqual(['grace-period']);
    expect(it.schedules[0]!.deadlineAt).toBe(noon + hour);
  });

  test('whose latest task is not finished moves to its next deadline', async () => {
    for (const [status, reason] of [
      ['running', 'still-running'],
      ['queued', 'already-queued'],
    ] as const) {
      const it = ports();
      latest(it, { status });
      await tick(it);
      expect(it.reasons).toEqual([reason]);
      expect(it.schedules[0]!.deadlineAt).toBe(noon + day);
    }
  });

  test("lessons 0.7: loses the boefje's cron with the boefje's, and keeps its own", async () => {
    const it = ports(
      [boefje('dns'), boefje('nmap')],
      schedule({ schedule: '0 3 * * *', inherited: true }),
      schedule({ boefje: 'nmap', schedule: '0 5 * * *' }),
    );
    await tick(it);
    expect(it.schedules.map((it) => it.schedule)).toEqual([null, '0 5 * * *']);
  });

  test('of a boefje that runs on operations only is disabled for that', async () => {
    const it = ports([boefje('dns', { runOn: ['create'] })]);
    await tick(it);
    expect([it.reasons, it.schedules[0]]).toMatchObject([
      ['no-run-on'],
      { enabled: false, disabledReason: 'run-on-only' },
    ]);
  });

  test('run_on with a cron or an interval: runs by its recurrence too', async () => {
    for (const recurrence of [{ cron: '0 12 * * *' }, { interval: 60 }]) {
      const it = ports([boefje('dns', { runOn: ['create'], ...recurrence })]);
      await tick(it);
      expect(it.pairs).toHaveLength(1);
      expect(it.schedules[0]!.deadlineAt).toBeGreaterThan(noon);
    }
  });

  test('interval: a boefje of 60 minutes that is due by it runs, though its last run ended 58 minutes ago', async () => {
    const hourly = boefje('dns', { interval: 60 });
    const it = ports([hourly], schedule({ deadlineAt: noon - 30_000, byInterval: true }));
    latest(it, { modifiedAt: noon - 58 * 60_000 });
    await tick(it);
    expect(it.pairs).toHaveLength(1);
    expect(it.schedules[0]).toMatchObject({ deadlineAt: noon - 30_000 + hour, byInterval: true });
    const person = ports([hourly], schedule({ deadlineAt: noon - 30_000 }));
    latest(person, { modifiedAt: noon - 58 * 60_000 });
    await tick(person);
    expect([person.reasons, person.schedules[0]!.deadlineAt]).toEqual([['grace-period'], noon + 2 * 60_000]);
  });

  test.for([1, 45_000, hour])('runs once for its deadline by a clock that is %i ms behind', async (behindMs) => {
    const cron = '*/3 * * * *';
    const every3 = noon + 3 * 60_000;
    const cases = [
      { it: ports([boefje('dns', { cron })], schedule({ deadlineAt: noon })), next: every3 },
      { it: ports(undefined, schedule({ deadlineAt: noon, schedule: cron })), next: every3 },
      {
        it: ports([boefje('dns', { interval: 60 })], schedule({ deadlineAt: noon, byInterval: true })),
        next: noon + hour,
      },
    ];
    for (const { it, next } of cases) {
      it.behindMs = behindMs;
      await tick(it);
      expect([it.pushed.map(({ recurrence }) => recurrence), it.schedules[0]!.deadlineAt]).toEqual([
        [expect.objectContaining({ deadlineAt: new Date(next).toISOString() })],
        next,
      ]);
    }
  });

  test("whose cron cannot be read is disabled and reported, the boefje's and the schedule's own", async () => {
    const cases = [
      ports([boefje('dns', { cron: 'R 2 * * *' })]),
      ports([boefje('dns')], schedule({ schedule: 'R 2 * * *' })),
    ];
    for (const it of cases) {
      await tick(it);
      expect([it.reasons, it.pushed]).toEqual([['cron-unreadable'], []]);
      expect(it.schedules[0]).toMatchObject({
        enabled: false,
        disabledReason: 'cron-unreadable',
        schedule: 'R 2 * * *',
      });
    }
  });

  test('lessons 1: is disabled with the reason it went for', async () => {
    const cases = [
      [ports([]), 'boefje-gone', 'boefje-gone'],
      [ports([boefje('dns', { enabled: false })]), 'boefje-disabled', 'boefje-disabled'],
      [ports([boefje('dns', { type: 'normalizer' })]), 'not-a-boefje', 'boefje-gone'],
      [ports([boefje('dns', { scanLevel: 4 })]), 'scan-level-too-low', 'scan-level-too-low'],
      [ports([boefje('dns')], schedule({ ooi: 'Hostname|internet|gone' })), 'ooi-gone', 'ooi-gone'],
      [ports([boefje('dns')], schedule({ organisation: 'gone' })), 'organisation-gone', 'organisation-gone'],
    ] as const;
    for (const [it, reason, disabled] of cases) {
      await tick(it);
      expect([it.reasons, settlements(it)]).toEqual([[reason], [{ id: it.schedules[0]!.id, version: 'v1', disabled }]]);
    }
  });

  test('whose OOI is no longer consumed, or has no scan profile, moves on', async () => {
    const other = ports([boefje('dns', { consumes: ['IPAddressV4'] })]);
    const bare = ports();
    bare.organisations['aa'] = { plugins: [boefje('dns')], objects: [{ ...object, scanLevel: null }] };
    await tick(other);
    await tick(bare);
    expect([other.reasons, bare.reasons]).toEqual([['not-consumed'], ['no-scan-profile']]);
    expect([other, bare].map((it) => it.schedules[0]!.deadlineAt)).toEqual([noon + day, noon + day]);
  });

  test('whose data names no boefje is disabled and does not stop the others', async () => {
    const it = ports([boefje('dns')], schedule({ id: 'junk', data: { something: 'else' } }), schedule());
    await tick(it);
    expect(it.schedules.find(({ id }) => id === 'junk')!.enabled).toBe(false);
    expect(it.pairs).toHaveLength(1);
  });
});
