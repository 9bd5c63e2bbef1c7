import { describe, expect, test } from 'vitest';
import * as fc from 'fast-check';
import { isByRecurrence, type KnownSchedule, recurrenceOf, unscheduled } from '../../actors/boefje/recurrence.ts';
import { boefje } from '../support/kat-ports.ts';
import { noon, Ports } from '../support/ports.ts';

const { setup } = new Ports('boefje');
const none = unscheduled(null);
const owned = (schedule: string | null, inherited = false) => ({ ...none, schedule, inherited });
const minutes = 60_000;

describe('lessons 0.7: when a boefje runs again', () => {
  test("the boefje's cron comes first", () => {
    const plugin = boefje('dns', { cron: '0 3 * * *', interval: 30 });
    expect(recurrenceOf(plugin, owned('0 5 * * *'), setup)).toEqual({
      schedule: '0 3 * * *',
      deadlineAt: '2026-03-03T03:00:00.000Z',
      inherited: true,
    });
  });

  test("then its interval, in minutes, which leaves the schedule's own cron in place", () => {
    const it = new Ports('boefje');
    it.settings = { gracePeriodSeconds: 86_400, jitterSeconds: 0 };
    expect(recurrenceOf(boefje('dns', { interval: 30 }), owned('0 5 * * *'), it.setup)).toEqual({
      schedule: '0 5 * * *',
      deadlineAt: '2026-03-02T12:30:00.000Z',
      inherited: false,
      byInterval: true,
    });
  });

  test("then the schedule's own cron", () => {
    expect(recurrenceOf(boefje('dns'), owned('0 5 * * *'), setup)).toEqual({
      schedule: '0 5 * * *',
      deadlineAt: '2026-03-03T05:00:00.000Z',
      inherited: false,
    });
  });

  test('else the grace period and a share of the jitter', () => {
    const half = new Ports('boefje');
    half.random = 0.5;
    const { deadlineAt, schedule } = recurrenceOf(boefje('dns'), none, half.setup);
    expect([Date.parse(deadlineAt!) - noon, schedule]).toEqual([(86_400 + 9_000) * 1000, null]);
  });

  test("removing the boefje's cron removes it from the schedule", () => {
    const { schedule, deadlineAt } = recurrenceOf(boefje('dns'), owned('0 3 * * *', true), setup);
    expect([schedule, deadlineAt]).toEqual([null, new Date(noon + 86_400_000).toISOString()]);
  });

  test('a cron that never runs, or does not parse, disables the schedule: it never runs at another time instead', () => {
    for (const cron of ['0 0 31 2 *', 'every day', 'R 2 * * *']) {
      const expected = { schedule: cron, deadlineAt: null, disabled: 'cron-unreadable' };
      expect(recurrenceOf(boefje('dns', { cron, interval: 30 }), none, setup)).toMatchObject(expected);
      expect(recurrenceOf(boefje('dns'), owned(cron), setup)).toMatchObject(expected);
    }
  });

  test('an empty cron is none, as in mula', () => {
    for (const cron of ['', ' ']) {
      expect(recurrenceOf(boefje('dns', { cron }), owned(cron), setup)).toMatchObject({
        schedule: null,
        deadlineAt: '2026-03-03T12:00:00.000Z',
      });
    }
  });

  test('a grace period of 0 without jitter means the next look of the clock, not this one again', () => {
    const it = new Ports('boefje');
    it.settings = { gracePeriodSeconds: 0, jitterSeconds: 0 };
    expect(recurrenceOf(boefje('dns'), none, it.setup).deadlineAt).toBe('2026-03-02T12:01:00.000Z');
  });

  test('the next deadline always lies in the future', () => {
    const cron = fc.option(fc.constantFrom('* * * * *', '0 12 * * *', '0 0 L * *', '@hourly', '0 0 29 2 *'));
    fc.assert(
      fc.property(
        fc.record({
          cron,
          own: cron,
          inherited: fc.boolean(),
          interval: fc.option(fc.integer({ min: -5, max: 100_000 })),
          due: fc.option(fc.integer({ min: -400 * 86_400_000, max: 86_400_000 })),
          byInterval: fc.boolean(),
          now: fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2090, 0) }),
          random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
          gracePeriodSeconds: fc.integer({ min: 0, max: 1_000_000 }),
          jitterSeconds: fc.integer({ min: 0, max: 100_000 }),
        }),
        ({ cron, own, inherited, interval, due, byInterval, now, random, gracePeriodSeconds, jitterSeconds }) => {
          const it = new Ports('boefje');
          Object.assign(it, { now, random, settings: { gracePeriodSeconds, jitterSeconds } });
          const deadline = due === null ? null : now + due;
          const known: KnownSchedule = { schedule: own, inherited, ooi: null, deadlineAt: deadline, byInterval };
          const { deadlineAt } = recurrenceOf(boefje('dns', { cron, interval }), known, it.setup);
          expect(Date.parse(deadlineAt!)).toBeGreaterThan(now);
        },
      ),
    );
  });
});

describe('an interval keeps its period', () => {
  const hourly = boefje('dns', { interval: 60 });
  const hour = 60 * minutes;
  const next = (known: Partial<KnownSchedule>, it = new Ports('boefje')) =>
    Date.parse(recurrenceOf(hourly, { ...none, ...known }, it.setup).deadlineAt!);

  test('it is due at deadline + interval, however late the look, the queue and the run were', () => {
    for (const late of [0, 1, 59_000, 17 * minutes]) {
      const deadlineAt = noon - late;
      expect(next({ deadlineAt, byInterval: true })).toBe(deadlineAt + hour);
    }
  });

  test('after an outage of several periods it runs once, and then in its old rhythm', () => {
    const deadlineAt = noon - 5 * hour - 7 * minutes;
    expect(next({ deadlineAt, byInterval: true })).toBe(deadlineAt + 6 * hour);
    expect(next({ deadlineAt: noon - 5 * hour, byInterval: true })).toBe(noon + hour);
  });

  test('what fell due together comes back spread over a tenth of the interval, and each keeps its place from then on', () => {
    const oois = Array.from({ length: 1_000 }, (_, n) => `Hostname|internet|${n}.example`);
    const first = oois.map((ooi) => next({ ooi, deadlineAt: noon - 1 }) - (noon - 1 + hour));
    expect(Math.min(...first)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...first)).toBeLessThan(6 * minutes);
    const perMinute = Map.groupBy(first, (offset) => Math.floor(offset / minutes));
    expect([...perMinute.values()].every((those) => those.length > 100)).toBe(true);
    const second = oois.map(
      (ooi, n) => next({ ooi, deadlineAt: noon - 1 + first[n]! - hour, byInterval: true }) - (noon - 1),
    );
    expect(second).toEqual(first);
  });

  test('the spread is the same for all organisations, so that they share a scan, and another for each boefje', () => {
    const offset = (id: string) =>
      Date.parse(recurrenceOf(boefje(id, { interval: 60 }), unscheduled('Hostname|internet|a'), setup).deadlineAt!);
    expect(offset('dns')).toBe(offset('dns'));
    expect(offset('dns')).not.toBe(offset('nmap'));
  });

  test('the spread of a long interval is at most that of SCHEDULER_PQ_JITTER, 5 h by default', () => {
    const monthly = boefje('dns', { interval: 30 * 24 * 60 });
    const offsets = Array.from({ length: 200 }, (_, n) => {
      const { deadlineAt } = recurrenceOf(monthly, unscheduled(`Hostname|internet|${n}`), setup);
      return Date.parse(deadlineAt!) - noon - 30 * 24 * hour;
    });
    expect(Math.max(...offsets)).toBeLessThan(5 * hour);
    expect(Math.max(...offsets)).toBeGreaterThan(4 * hour);
  });

  test('its own deadline ignores the grace period; a deadline of a person, or an enabling, does not', () => {
    expect(isByRecurrence(hourly, { ...none, deadlineAt: noon, byInterval: true })).toBe(true);
    expect(isByRecurrence(hourly, { ...none, deadlineAt: noon })).toBe(false);
    expect(isByRecurrence(hourly, { ...owned('0 5 * * *'), deadlineAt: noon })).toBe(false);
  });
});
