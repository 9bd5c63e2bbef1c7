import { expect, test } from 'vitest';
import { renderOverview } from '../../src/cli/status/render.ts';
import type { Overview } from '../../src/cli/status/overview.ts';
import { tableOf } from '../../src/cli/table.ts';

const overview: Overview = {
  supervisors: [
    {
      instance: '1f0c9a3e',
      version: '0.1.0',
      started_at: new Date(Date.now() - 86_400_000).toISOString(),
      pid: 4_242,
      rss_bytes: 314_572_800,
      actors: [
        {
          name: 'normalizer',
          phase: 'restarting',
          restarts: 12,
          retry_at: new Date(Date.now() + 60_000).toISOString(),
          last_failure: {
            code: 'BROKEN',
            message: 'Katalogus answered a plug-in without an id, which its contract excludes',
          },
          thread: null,
        },
      ],
    },
  ],
  schedulers: [
    {
      id: 'boefje',
      queued: 1_234_567,
      held: 100_000,
      leased: 400,
      oldest_seconds: 93_000,
      schedule_lag_seconds: 3_700,
      waiters: 400,
      in_per_second: 1_234.56,
      out_per_second: 987.6,
    },
  ],
  sources: [
    {
      source: 'rabbitmq:scan_profile_mutations',
      stream: 'scan_profile_mutations',
      waiting: 1_200_000,
      retrying: 12,
      dead: 3,
      error: null,
    },
  ],
  unanswered: [],
};

const widestOf = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

test.each([80, 200])('the status fits into a terminal of %s columns', (width) => {
  const text = renderOverview(overview, width);
  expect(widestOf(text)).toBeLessThanOrEqual(width);
  expect(text).toContain('1234567');
  expect(text).not.toContain('\u001b');
});

test('into a pipe nothing is cut', () => {
  expect(renderOverview(overview, null)).toContain('which its contract excludes');
  expect(renderOverview(overview, null)).not.toContain('…');
});

test('figures stand under each other, words begin under each other', () => {
  expect(
    tableOf(
      ['NAME', 'COUNT'],
      [
        ['a', 5],
        ['long', 1_000],
        ['none', null],
      ],
      80,
    ).split('\n'),
  ).toEqual(['NAME  COUNT', 'a         5', 'long   1000', 'none      -']);
});
