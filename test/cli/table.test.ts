import { expect, test } from 'vitest';
import { renderOverview } from '../../src/cli/overview.ts';
import type { Overview } from '../../src/control/overview.ts';
import { moment } from '../../src/control/wording.ts';
import { tableOf } from '../../src/cli/table.ts';

const overview: Overview = {
  supervisors: [
    {
      instance: '1f0c9a3e',
      version: '0.1.0',
      started_at: new Date(Date.now() - 86_400_000).toISOString(),
      pid: 4_242,
      rss_bytes: 314_572_800,
      loop_p99_ms: 1,
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
      held_is_least: false,
      leased: 400,
      oldest_seconds: 93_000,
      schedule_lag_seconds: 3_700,
      per_second: 940,
      estimated_empty_at: '2026-03-02T12:20:00Z',
      asked_at: '2026-03-02T12:00:00Z',
      waiters: 400,
      in_per_second: 1_234.56,
      out_per_second: 987.6,
      out_seconds_ago: 1,
      lately: null,
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
      full: null,
    },
  ],
  unknown: [],
  unanswered: [],
};

const widestOf = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

test.each([80, 200])('the status fits into a terminal of %s columns', (width) => {
  const text = renderOverview(overview, width);
  expect(widestOf(text)).toBeLessThanOrEqual(width);
  expect(text).toContain('1234567');
  expect(text).not.toContain('\u001b');
});

test('of each queue in which tasks wait the status says when it is empty, or why that cannot be told', () => {
  const [boefje] = overview.schedulers;
  const shown = (of: object) => {
    const text = renderOverview({ ...overview, schedulers: [{ ...boefje!, ...of }] }, null);
    return text.split('\n\n').find((section) => section.startsWith('WAITING IN'));
  };
  expect(shown({})).toMatch(/^boefje +1134567 +940\.0\/s +.*, 2026-03-02 12:20:00 UTC +.* ago$/m);
  expect(shown({ estimated_empty_at: null })).toContain('unknown: nobody asks any more');
  expect(shown({ estimated_empty_at: null, per_second: null })).toContain('unknown: none is handed out');
  expect(shown({ estimated_empty_at: null, per_second: null, asked_at: null })).toMatch(
    /unknown: nobody asks +not within a week$/m,
  );
  expect(shown({ held: boefje!.queued })).toBeUndefined();
});

test('problems come first, each with what it is; without any there are none, and healthy circuits are one line', () => {
  const thread = { heap_bytes: 1, loop_p99_ms: 1, log_level: 'info', mailbox: { depth: 0, oldest_ms: 0 }, lanes: [] };
  const stream = { stream: 'raw_file_received' as const, in_hand: 0, done: 0, retried: 0, dead_lettered: 0 };
  const service = (name: string, circuit: string, last_error: string | null) => {
    return { service: name, circuit, open_since: null, in_flight: 2, last_error };
  };
  const of = (services: ReturnType<typeof service>[], connected: boolean) => {
    const streams = [{ ...stream, connected, last_error: connected ? null : 'refused' }];
    const actor = { name: 'boefje', phase: 'running', restarts: 0, retry_at: null, last_failure: null };
    return {
      ...overview.supervisors[0]!,
      instance: 'one',
      actors: [{ ...actor, thread: { ...thread, streams, services } }],
    };
  };
  const well = {
    ...overview,
    supervisors: [of([service('katalogus', 'closed', null), service('octopoes', 'closed', null)], true)],
    schedulers: [{ ...overview.schedulers[0]!, schedule_lag_seconds: 3 }],
    sources: [{ ...overview.sources[0]!, dead: 0 }],
  } as Overview;
  const ill = {
    ...overview,
    supervisors: [
      of([service('katalogus', 'closed', null), service('octopoes', 'open', 'octopoes answered 503')], false),
    ],
    unknown: [{ instance: 'two', part: 'database', why: 'away' }],
  } as Overview;
  expect(renderOverview(well, null)).toMatch(
    /^SUPERVISOR[^]*\n\n2 circuits are closed \(katalogus, octopoes\), with 4 requests in flight$/,
  );
  expect(renderOverview(well, null)).not.toContain('CIRCUIT');
  const [problems, ...rest] = renderOverview(ill, null).split('\n\n');
  expect(problems!.split('\n').map((row) => row.split(/ {2,}/))).toEqual([
    ['LEVEL', 'ABOUT', 'FINDING', 'DO'],
    ['problem', 'database', 'does not answer: away', 'is the database up? rota doctor'],
    [
      'problem',
      'events raw_file_received',
      'not connected for boefje: refused',
      'is the broker up? see QUEUE_URI, or NATS_URL where events come over JetStream',
    ],
    [
      'problem',
      'octopoes',
      'circuit open for boefje: octopoes answered 503',
      'is octopoes up? events wait meanwhile, and pops go on',
    ],
    ['warning', 'rabbitmq:scan_profile_mutations', '3 given up', expect.stringContaining('rota dead list')],
    ['warning', 'schedules of boefje', '1h 1m late', expect.any(String)],
  ]);
  expect(rest.at(-2)).toMatch(/^SERVICE.*\noctopoes +boefje +one +open +2 +octopoes answered 503$/);
  expect(rest.at(-1)).toMatch(/^1 circuit is closed \(katalogus\)/);
});

test('into a pipe nothing is cut', () => {
  expect(renderOverview(overview, null)).toContain('which its contract excludes');
  expect(renderOverview(overview, null)).not.toContain('…');
});

test('figures are aligned at their ends, words at their beginnings', () => {
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

const [task, lease] = ['01a20e15-55c8-7ec2-8beb-892106b65559', '9b7d48bb-42ef-407b-8592-7c9e803dcd23'];

test('an id is never cut: where there is no room it is on a line of its own, and the next command can take it', () => {
  const head = ['TASK', 'PLUGIN', 'LEASE', 'OOI'];
  const rows = [[task, 'dns-records', lease, 'Hostname|internet|a-rather-long-name.example']];
  expect(tableOf(head, rows, 80).split('\n')).toEqual([
    'TASK',
    '  PLUGIN       LEASE                                 OOI',
    task,
    `  dns-records  ${lease}  Hostname|internet|a-rather…`,
  ]);
  expect(widestOf(tableOf(head, rows, 200))).toBeLessThanOrEqual(200);
  expect(tableOf(head, rows, 200).split('\n')).toHaveLength(2);
  expect(tableOf(head, rows, null)).toContain('a-rather-long-name.example');
});

test('sentences are wrapped: their end may be what matters', () => {
  const text = tableOf(['RULE', 'FACT'], [['latest task', `task ${task} is queued since yesterday`]], 60, {
    wrap: true,
  });
  expect(widestOf(text)).toBeLessThanOrEqual(60);
  expect(text.replaceAll(/\s+/g, ' ')).toContain('is queued since yesterday');
});

test('ages of all units are aligned', () => {
  expect(tableOf(['OLDEST'], [['4m 48s'], ['9s'], ['-'], ['1d 0h']], 80).split('\n')).toEqual([
    'OLDEST',
    '4m 48s',
    '    9s',
    '     -',
    ' 1d 0h',
  ]);
});

test.each([
  ['2026-03-02T12:00:00.000000Z', '2026-03-02 12:00:00 UTC'],
  ['2026-03-02T14:00:00.5+02:00', '2026-03-02 12:00:00 UTC'],
  [null, '-'],
])('a time for people says its zone: %s is %s', (given, shown) => {
  expect(moment(given)).toBe(shown);
});
