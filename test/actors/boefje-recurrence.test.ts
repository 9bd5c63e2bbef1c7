import { describe, expect, test } from 'vitest';
import * as fc from 'fast-check';
import { isByCron, recurrenceOf } from '../../actors/boefje/recurrence.ts';
import { boefje } from '../support/kat-ports.ts';
import { noon, Ports } from '../support/ports.ts';

const { setup } = new Ports('boefje');
const none = { schedule: null };

describe('lessons 0.7: when a boefje runs again', () => {
  test("the boefje's cron comes first", () => {
    const plugin = boefje('dns', { cron: '0 3 * * *', interval: 30 });
    expect(recurrenceOf(plugin, { schedule: '0 5 * * *' }, setup)).toEqual({
      schedule: '0 3 * * *',
      deadlineAt: '2026-03-03T03:00:00.000Z',
      inherited: true,
    });
  });

  test("then its interval, in minutes, which leaves the schedule's own cron in place", () => {
    expect(recurrenceOf(boefje('dns', { interval: 30 }), { schedule: '0 5 * * *' }, setup)).toEqual({
      schedule: '0 5 * * *',
      deadlineAt: '2026-03-02T12:30:00.000Z',
      inherited: false,
    });
  });

  test("then the schedule's own cron", () => {
    expect(recurrenceOf(boefje('dns'), { schedule: '0 5 * * *' }, setup)).toEqual({
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
    const { schedule, deadlineAt } = recurrenceOf(boefje('dns'), { schedule: '0 3 * * *', inherited: true }, setup);
    expect([schedule, deadlineAt]).toEqual([null, new Date(noon + 86_400_000).toISOString()]);
  });

  test('a cron that never runs, or does not parse, counts as none', () => {
    for (const cron of ['0 0 31 2 *', 'every day', '']) {
      expect(recurrenceOf(boefje('dns', { cron, interval: 30 }), none, setup).deadlineAt).toBe(
        '2026-03-02T12:30:00.000Z',
      );
      expect(isByCron(boefje('dns', { cron }), { schedule: cron }, setup)).toBe(false);
    }
  });

  test('a grace period of 0 without jitter means the next look of the clock, not this one again', () => {
    const it = new Ports('boefje');
    it.settings = { gracePeriodSeconds: 0, jitterSeconds: 0 };
    expect(recurrenceOf(boefje('dns'), none, it.setup).deadlineAt).toBe('2026-03-02T12:01:00.000Z');
  });

  test('the next deadline always lies in the future', () => {
    const cron = fc.option(
      fc.constantFrom('* * * * *', '0 12 * * *', '0 0 L * *', '@hourly', 'nonsense', '0 0 29 2 *'),
    );
    fc.assert(
      fc.property(
        fc.record({
          cron,
          own: cron,
          inherited: fc.boolean(),
          interval: fc.option(fc.integer({ min: -5, max: 100_000 })),
          now: fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2090, 0) }),
          random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
          gracePeriodSeconds: fc.integer({ min: 0, max: 1_000_000 }),
          jitterSeconds: fc.integer({ min: 0, max: 100_000 }),
        }),
        ({ cron, own, inherited, interval, now, random, gracePeriodSeconds, jitterSeconds }) => {
          const it = new Ports('boefje');
          Object.assign(it, { now, random, settings: { gracePeriodSeconds, jitterSeconds } });
          const { deadlineAt } = recurrenceOf(
            boefje('dns', { cron, interval }),
            { schedule: own, inherited },
            it.setup,
          );
          expect(Date.parse(deadlineAt!)).toBeGreaterThan(now);
        },
      ),
    );
  });
});
