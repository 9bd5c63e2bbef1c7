import { assert, integer, nat, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import { grownPeriodMs } from '../../actors/boefje/recurrence.ts';
import type { Plugin } from '../../src/kat/kat.ts';
import type { Explanation } from '../../src/protocol/commands.ts';
import type { DueSchedule, FailureStreak } from '../../src/protocol/requests.ts';
import { deliver } from '../support/deliveries.ts';
import { day, object, ooi, ports, schedule, settlements, tick } from '../support/due-boefjes.ts';
import { boefje } from '../support/kat-ports.ts';
import { hour, noon, type Ports } from '../support/ports.ts';

interface Pair {
  readonly plugin?: Partial<Plugin>;
  readonly schedule?: Partial<DueSchedule>;
  /** When the last failed run ended. */
  readonly endedAt?: number;
  readonly latest?: 'failed' | 'cancelled' | 'completed';
  readonly streak?: Partial<FailureStreak>;
}

/** A due schedule whose boefje failed `failures` times in a row, last a day ago. */
function failed(
  failures: number,
  { plugin, schedule: fields, endedAt = noon - day, latest = 'failed', streak }: Pair = {},
): Ports {
  const it = ports([boefje('dns', plugin)], schedule(fields));
  const { hash } = it.schedules[0]!;
  it.latest = [{ hash, id: 'earlier', status: latest, createdAt: endedAt, modifiedAt: endedAt }];
  const counted = {
    hash,
    failures,
    bounded: false,
    firstAt: noon - 90 * day,
    lastAt: endedAt,
    version: null,
    image: null,
  };
  it.streaks = failures === 0 ? [] : [{ ...counted, ...streak }];
  return it;
}

/** What a tick did: the pairs that it queued, its refusals, and how far from now its schedule is due. */
async function ticked(it: Ports): Promise<{ queued: number; reasons: readonly string[]; dueIn: number }> {
  await tick(it);
  return { queued: it.pushed.length, reasons: it.reasons, dueIn: it.schedules[0]!.deadlineAt! - noon };
}

describe('the period that grows', () => {
  test.each([
    [day, 0, day],
    [day, 1, day],
    [day, 2, 2 * day],
    [day, 3, 4 * day],
    [day, 4, 8 * day],
    [day, 5, 16 * day],
    [day, 6, 30 * day],
    [hour, 6, 32 * hour],
    [hour, 7, 32 * hour],
    [hour, 1_000, 32 * hour],
    [20 * day, 2, 30 * day],
    [30 * day, 2, 30 * day],
    [45 * day, 9, 45 * day],
  ])('of %d ms after %d failures in a row is %d ms', (period, failures, grown) => {
    expect(grownPeriodMs(period, failures)).toBe(grown);
  });

  test('never shrinks, neither by a failure nor below the period, and ends at 30 days and at 32 periods', () => {
    assert(
      property(integer({ min: 1, max: 100 * day }), nat({ max: 50 }), (period, failures) => {
        const grown = grownPeriodMs(period, failures);
        expect(grown).toBeGreaterThanOrEqual(period);
        expect(grown).toBeLessThanOrEqual(Math.max(period, 30 * day));
        expect(grown).toBeLessThanOrEqual(32 * period);
        expect(grownPeriodMs(period, failures + 1)).toBeGreaterThanOrEqual(grown);
      }),
    );
  });
});

describe('a due schedule of a pair that fails', () => {
  test.each([
    [2, 2],
    [3, 4],
    [4, 8],
    [5, 16],
    [6, 30],
    [10, 30],
  ])('%d times in a row waits %d days from its last run', async (failures, days) => {
    const it = failed(failures);
    expect(await ticked(it)).toEqual({ queued: 0, reasons: ['failing'], dueIn: (days - 1) * day });
    expect(settlements(it)).toMatchObject([{ failures }]);
    it.now = noon + (days - 1) * day;
    await tick(it);
    expect(it.pairs).toEqual([`dns aa ${ooi}`]);
  });

  test('once runs after its period, as one that did not fail', async () => {
    expect(await ticked(failed(1))).toEqual({ queued: 1, reasons: [], dueIn: day });
  });

  test('and then completed runs after its period, and costs no look at failures', async () => {
    const it = failed(0, { latest: 'completed' });
    expect(await ticked(it)).toMatchObject({ queued: 1, reasons: [] });
    expect(it.times('failure-streaks')).toBe(0);
  });

  test('and was cancelled since waits all the same, without a question to Bytes', async () => {
    const it = failed(3, { latest: 'cancelled' });
    expect(await ticked(it)).toMatchObject({ queued: 0, reasons: ['failing'], dueIn: 3 * day });
    expect(it.times('lastRun')).toBe(0);
  });

  test('within the grace period is told once that it fails, and not moved twice', async () => {
    const it = failed(2, { endedAt: noon - hour });
    expect(await ticked(it)).toEqual({ queued: 0, reasons: ['failing'], dueIn: 2 * day - hour });
  });

  test('with a grace period beyond 30 days keeps that', async () => {
    const it = failed(6, { endedAt: noon - 31 * day });
    it.settings = { ...it.settings, gracePeriodSeconds: (40 * day) / 1_000 };
    expect(await ticked(it)).toEqual({ queued: 0, reasons: ['grace-period'], dueIn: 9 * day });
  });

  test('with an interval waits by that, and its next deadline counts from the one that it was given', async () => {
    const it = failed(3, {
      plugin: { interval: 60 },
      schedule: { byInterval: true, deadlineAt: noon - 1 },
      endedAt: noon - hour,
    });
    expect(await ticked(it)).toEqual({ queued: 0, reasons: ['failing'], dueIn: 3 * hour });
    expect(it.schedules[0]!.byInterval).toBe(true);
    it.now = noon + 3 * hour;
    await tick(it);
    expect([it.pairs.length, it.schedules[0]!.deadlineAt! - it.now]).toEqual([1, hour]);
  });

  test('with a cron keeps its times, whosever the cron is', async () => {
    for (const pair of [{ plugin: { cron: '0 12 * * *' } }, { schedule: { schedule: '0 12 * * *' } }]) {
      const it = failed(6, pair);
      expect(await ticked(it)).toMatchObject({ queued: 1, reasons: [] });
      expect(it.times('failure-streaks')).toBe(0);
    }
  });

  test('runs where the boefje is another one since: by its version or image, where both are known', async () => {
    const cases: readonly [string | null, string | null, string | null, string | null, number][] = [
      ['1', '2', null, null, 1],
      ['1', '1', null, null, 0],
      [null, '2', null, null, 0],
      ['1', null, null, null, 0],
      [null, null, 'nmap:1', 'nmap:2', 1],
      [null, null, 'nmap:1', 'nmap:1', 0],
      [null, null, null, 'nmap:2', 0],
    ];
    for (const [version, newVersion, image, newImage, queued] of cases) {
      const it = failed(4, { plugin: { version: newVersion, ociImage: newImage }, streak: { version, image } });
      expect(await ticked(it), JSON.stringify([version, newVersion, image, newImage])).toMatchObject({ queued });
    }
  });

  test('runs where a person asked, also after the grace period in which they did', async () => {
    expect(await ticked(failed(6, { schedule: { asked: true } }))).toMatchObject({ queued: 1, reasons: [] });
    const early = failed(6, { schedule: { asked: true }, endedAt: noon - hour });
    expect(await ticked(early)).toEqual({ queued: 0, reasons: ['grace-period'], dueIn: 23 * hour });
    early.now = noon + 23 * hour;
    await tick(early);
    expect(early.pairs).toHaveLength(1);
  });

  test('runs on an event about its OOI', async () => {
    const it = failed(6);
    await deliver(boefjeScheduler.start(it.setup)['scan-profile-mutated'], {
      kind: 'scan-profile-mutated',
      operation: 'update',
      organisation: 'aa',
      ...object,
    });
    expect([it.pairs.length, it.times('failure-streaks')]).toEqual([1, 0]);
  });

  test('costs one request more for a whole batch, and only about those that did not complete', async () => {
    const references = Array.from({ length: 2_500 }, (_, n) => `Hostname|internet|host-${n}`);
    const it = ports([boefje('dns')], ...references.map((ooi) => schedule({ ooi })));
    const objects = references.map((primaryKey) => ({ ...object, primaryKey }));
    it.organisations = { aa: { plugins: [boefje('dns')], objects } };
    it.latest = it.schedules.map(({ hash }, n) => ({
      hash,
      id: hash,
      status: n % 2 === 0 ? 'failed' : 'completed',
      createdAt: noon - day,
      modifiedAt: noon - day,
    }));
    it.streaks = it.schedules.map(({ hash }) => ({
      hash,
      failures: 2,
      bounded: false,
      firstAt: noon - 2 * day,
      lastAt: noon - day,
      version: null,
      image: null,
    }));
    await tick(it);
    expect([it.pushed.length, it.reasons.length]).toEqual([1_250, 1_250]);
    expect(it.times('failure-streaks')).toBe(3);
    expect(it.requests('failure-streaks').flatMap(({ hashes }) => hashes)).toHaveLength(1_250);
  });
});

describe('explained', () => {
  async function stepOf(it: Ports, trigger: 'event' | 'schedule' = 'schedule') {
    const [delivery] = await deliver(boefjeScheduler.start(it.setup).explain, {
      kind: 'explain',
      organisation: 'aa',
      data: it.schedules[0]!.data,
      schedule: it.schedules[0]!,
      trigger,
      until: Infinity,
    });
    const { steps } = (delivery!.settled as { value: Explanation }).value;
    const refusing = steps.filter(({ outcome }) => outcome === 'refuses').map(({ reason }) => reason);
    return { refusing, fact: steps.find(({ rule }) => rule === 'failures')?.fact };
  }
  const since = '4 times in a row since 2025-12-02T12:00:00.000Z';

  test('a streak names its failures, the period and until when it grew', async () => {
    expect(await stepOf(failed(4))).toEqual({
      refusing: ['failing'],
      fact: `failed ${since}; its period of 1 day became 8 days, until 2026-03-09T12:00:00.000Z`,
    });
    expect(await stepOf(failed(4, { endedAt: noon - 9 * day }))).toEqual({
      refusing: [],
      fact: `failed ${since}; its period of 1 day became 8 days, until 2026-03-01T12:00:00.000Z`,
    });
  });

  test.each<[string, Pair, string]>([
    ['a cron', { plugin: { cron: '0 12 * * *' } }, `failed ${since}; a cron keeps its times`],
    [
      'a person who asked',
      { schedule: { asked: true } },
      `failed ${since}; this run was asked for, or the schedule enabled again`,
    ],
    [
      'another version',
      { plugin: { version: '2' }, streak: { version: '1' } },
      `failed ${since}, as version 1; it is version 2 now`,
    ],
    [
      'another image',
      { plugin: { ociImage: 'b' }, streak: { image: 'a' } },
      `failed ${since}, as image a; it is image b now`,
    ],
    ['a period of 30 days', { plugin: { interval: 43_200 } }, `failed ${since}; its period of 30 days does not grow`],
  ])('a streak that does not matter, for %s', async (_name, pair, fact) => {
    expect(await stepOf(failed(4, { ...pair, endedAt: noon - 40 * day }))).toEqual({ refusing: [], fact });
  });

  test('a streak of which no more is read, one failure, and none', async () => {
    expect((await stepOf(failed(10, { streak: { bounded: true } }))).fact).toMatch(/^failed 10 or more times in a row/);
    expect((await stepOf(failed(1))).fact).toBe('failed once, 2026-03-01T12:00:00.000Z; its period does not grow yet');
    expect((await stepOf(failed(0, { latest: 'completed' }))).fact).toBeUndefined();
  });

  test('a streak on an event says that events run', async () => {
    const it = failed(4);
    expect(await stepOf(it, 'event')).toEqual({
      refusing: [],
      fact: `failed ${since}; an event is a reason to try again`,
    });
  });
});
