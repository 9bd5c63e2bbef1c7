import { describe, expect, test } from 'vitest';
import reportScheduler from '../../actors/report/behavior.ts';
import type { Explanation } from '../../src/protocol/commands.ts';
import type { DueSchedule } from '../../src/protocol/requests.ts';
import { reportHash } from '../../src/tasks/data.ts';
import type { TaskStatus } from '../../src/tasks/task.ts';
import { deliver, outcomeOf } from '../support/deliveries.ts';
import { outageOf } from '../support/kat-ports.ts';
import { hour, noon, Ports } from '../support/ports.ts';

function schedule(recipe: string, fields: Partial<DueSchedule> = {}): DueSchedule {
  return {
    id: recipe,
    version: 'v1',
    organisation: 'aa',
    hash: reportHash({ recipeId: recipe, organisation: 'aa' }),
    data: { type: 'report', organisation_id: 'aa', report_recipe_id: recipe },
    enabled: true,
    schedule: '0 6 * * *',
    deadlineAt: noon - 1,
    ...fields,
  };
}

function ports(...schedules: DueSchedule[]): Ports {
  const it = new Ports('report');
  it.organisations = { aa: { plugins: [] } };
  it.schedules = schedules;
  return it;
}

function tick(it: Ports) {
  return deliver(reportScheduler.start(it.setup).reschedule, { kind: 'reschedule' });
}

function latest(it: Ports, status: TaskStatus): void {
  it.latest = it.schedules.map(({ hash }) => ({ hash, id: 'x', status, createdAt: noon, modifiedAt: noon }));
}

const tomorrowAtSix = '2026-03-03T06:00:00.000Z';

describe('a due report', () => {
  test('is queued and due again at the next time of its cron', async () => {
    const it = ports(schedule('r'));
    await tick(it);
    expect(it.pushed).toEqual([
      {
        organisation: 'aa',
        data: { organisation_id: 'aa', report_recipe_id: 'r' },
        checked: true,
        recurrence: { schedule: '0 6 * * *', deadlineAt: tomorrowAtSix, version: 'v1' },
        trace: null,
      },
    ]);
    expect(it.schedules[0]!.deadlineAt).toBe(Date.parse(tomorrowAtSix));
  });

  test.for([1, 45_000, 3_600_000])('runs once for its deadline by a clock that is %i ms behind', async (behindMs) => {
    const it = ports(schedule('r', { schedule: '*/3 * * * *', deadlineAt: noon }));
    it.behindMs = behindMs;
    await tick(it);
    expect(it.schedules[0]!.deadlineAt).toBe(noon + 180_000);
  });

  test('without a cron has no further deadline', async () => {
    const it = ports(schedule('r', { schedule: null }));
    await tick(it);
    expect([it.pushed.length, it.schedules[0]!.deadlineAt]).toEqual([1, null]);
  });

  test('a person asked for again while it runs waits its turn instead of being forgotten', async () => {
    const it = ports(schedule('r', { schedule: null }));
    latest(it, 'running');
    await tick(it);
    expect([it.reasons, it.schedules[0]!.deadlineAt]).toEqual([['still-running'], noon + 60_000]);
  });

  test('whose last task is not finished moves to the next time of its cron', async () => {
    for (const [status, reason] of [
      ['running', 'still-running'],
      ['queued', 'already-queued'],
    ] as const) {
      const it = ports(schedule('r'));
      latest(it, status);
      await tick(it);
      expect([it.reasons, it.schedules[0]!.deadlineAt]).toEqual([[reason], Date.parse(tomorrowAtSix)]);
    }
  });

  test('of an organisation that is gone is refused, and asked about again at its next time: nothing is deleted', async () => {
    const it = ports(schedule('r'), schedule('once', { schedule: null }));
    it.organisations = {};
    await tick(it);
    expect([it.pushed, it.reasons]).toEqual([[], ['organisation-gone', 'organisation-gone']]);
    expect(it.schedules.map(({ enabled, deadlineAt }) => [enabled, deadlineAt])).toEqual([
      [true, Date.parse(tomorrowAtSix)],
      [true, noon + hour],
    ]);
  });

  test('is queued although Katalogus cannot say whether its organisation is there', async () => {
    const it = ports(schedule('r'));
    it.organisations = {};
    it.outage = (name) => {
      if (name === 'knows') throw outageOf('katalogus');
    };
    await tick(it);
    expect([it.pushed.length, it.reasons]).toEqual([1, []]);
  });

  test('is explained as it is decided', async () => {
    const explained = async (it: Ports) => {
      const { data, ...due } = schedule('r');
      const asked = {
        kind: 'explain',
        organisation: 'aa',
        data,
        schedule: { data, ...due },
        trigger: 'schedule',
        until: Infinity,
      } as const;
      const [delivery] = await deliver(reportScheduler.start(it.setup).explain, asked);
      const { steps } = (delivery!.settled as { value: Explanation }).value;
      return steps.find(({ outcome }) => outcome !== 'passes')?.reason ?? null;
    };
    const [there, gone, out] = [ports(), ports(), ports()];
    gone.organisations = {};
    out.outage = (name) => {
      if (name === 'knows') throw outageOf('katalogus');
    };
    expect(await Promise.all([there, gone, out].map(explained))).toEqual([null, 'organisation-gone', null]);
  });

  test('lessons 0.1: whose last task was cancelled is queued', async () => {
    const it = ports(schedule('r'));
    latest(it, 'cancelled');
    await tick(it);
    expect(it.pushed).toHaveLength(1);
  });

  test('whose data names no report is taken off the clock and reported', async () => {
    const it = ports(schedule('junk', { data: {} }), schedule('s'));
    await tick(it);
    expect(it.pushed).toHaveLength(1);
    expect(it.schedules.map(({ deadlineAt }) => deadlineAt)).toEqual([null, Date.parse(tomorrowAtSix)]);
    expect(it.warnings).toHaveLength(1);
  });

  test('whose cron cannot be read is disabled for that and reported: it makes no report at another time', async () => {
    const it = ports(schedule('r', { schedule: 'R 6 * * *' }));
    await tick(it);
    expect([it.pushed, it.reasons]).toEqual([[], ['cron-unreadable']]);
    expect(it.schedules[0]).toMatchObject({ enabled: false, disabledReason: 'cron-unreadable', schedule: 'R 6 * * *' });
    expect(it.warnings).toMatchObject([{ fields: { schedule: it.schedules[0]!.id, cron: 'R 6 * * *' } }]);
  });
});

describe('a tick', () => {
  test('lessons 0.6: goes on until nothing is due, one push a batch', async () => {
    const it = ports(...Array.from({ length: 1500 }, (_, at) => schedule(`${at}`)));
    await tick(it);
    expect([it.pushed.length, it.times('push-tasks')]).toEqual([1500, 2]);
  });

  test('ends after the current batch when the actor must stop', async () => {
    const it = ports(...Array.from({ length: 1500 }, (_, at) => schedule(`${at}`)));
    it.outage = (name) => {
      if (name === 'push-tasks') it.stopping.abort();
    };
    await tick(it);
    expect([it.pushed.length, it.times('claim-due-schedules')]).toEqual([1000, 1]);
  });

  test('ends with a full queue, and leaves what found no room to the next', async () => {
    const it = ports(schedule('r'));
    it.refusePush = () => 'queue-full';
    await tick(it);
    expect([it.times('claim-due-schedules'), it.times('settle-schedules')]).toEqual([1, 0]);
  });

  test('a report that the queue takes for malformed is reported, and its schedule moves on', async () => {
    const it = ports(schedule('r'));
    it.failPush = () => ({ code: 'BAD_REQUEST', message: 'malformed item', retryable: false });
    await tick(it);
    expect([it.schedules[0]!.deadlineAt, it.warnings.length]).toEqual([Date.parse(tomorrowAtSix), 1]);
  });

  test('fails as retryable where the supervisor cannot answer', async () => {
    const it = ports(schedule('r'));
    it.outage = (name) => {
      if (name === 'push-tasks') throw outageOf('database');
    };
    expect((await tick(it)).map(outcomeOf)).toEqual(['SERVICE_UNAVAILABLE']);
    expect(it.times('settle-schedules')).toBe(0);
  });
});
