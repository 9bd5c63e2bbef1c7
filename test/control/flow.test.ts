import { expect, test } from 'vitest';
import { type Flow, flowOf } from '../../src/control/flow.ts';
import type { SchedulerView } from '../../src/protocol/operator-status.ts';

const idle: SchedulerView = {
  id: 'boefje',
  queued: 0,
  held: 0,
  held_is_least: false,
  leased: 0,
  oldest_seconds: null,
  schedule_lag_seconds: 0,
  per_second: null,
  estimated_empty_at: null,
  asked_at: '2026-03-02T12:00:00Z',
  out_seconds_ago: null,
  waiters: 0,
  in_per_second: 0,
  out_per_second: 0,
  lately: null,
};
const waits: Partial<SchedulerView> = { queued: 50, oldest_seconds: 300 };
const grows = { in_per_second: 10, out_per_second: 1 };

test.each<[string, Partial<SchedulerView>, boolean, Flow['word'], string | null]>([
  ['nothing waits', {}, false, 'idle', null],
  ['nothing waits any more', { out_per_second: 3, out_seconds_ago: 1 }, false, 'flows', null],
  ['some wait and some go', { ...waits, out_per_second: 3, out_seconds_ago: 1 }, false, 'flows', null],
  ['one went out within the minute', { ...waits, out_seconds_ago: 59 }, false, 'flows', null],
  ['none went out for a minute', { ...waits, out_seconds_ago: 61 }, false, 'stands', 'none was handed out for 1m 1s'],
  ['none went out in ten minutes', waits, false, 'stands', 'none was handed out in ten minutes'],
  ['nobody asks', { ...waits, asked_at: null }, false, 'stands', 'nobody asks for its tasks'],
  [
    'workers ask for others',
    { ...waits, waiters: 2 },
    false,
    'stands',
    'workers ask, and their filters match none of it',
  ],
  ['all of it came just now', { queued: 50, oldest_seconds: 2, out_seconds_ago: 500 }, false, 'flows', null],
  ['a pop was answered since the database was asked', { ...waits, out_per_second: 0.1 }, false, 'flows', null],
  [
    'a pause holds all that is queued',
    { queued: 50, held: 50 },
    false,
    'held',
    'a pause or a limit holds what is queued',
  ],
  ['it is paused, and not all is held yet', { ...waits, held: 10 }, true, 'held', 'the scheduler is paused'],
  ['the database is out', { queued: null }, false, 'unknown', 'the database does not answer'],
  ['it grows for ten seconds', { ...waits, ...grows, out_seconds_ago: 1 }, false, 'flows', null],
  [
    'it grows for five minutes',
    { ...waits, ...grows, out_seconds_ago: 1, lately: grows },
    false,
    'falls behind',
    'for five minutes more has come in than gone out',
  ],
  [
    'it grew, and does no more',
    { ...waits, out_per_second: 3, out_seconds_ago: 1, lately: grows },
    false,
    'flows',
    null,
  ],
  [
    'it grows by a handful',
    { ...waits, ...grows, out_seconds_ago: 1, lately: { in_per_second: 0.02, out_per_second: 0 } },
    false,
    'flows',
    null,
  ],
])('%s', (_what, scheduler, paused, word, why) => {
  expect(flowOf({ ...idle, ...scheduler }, paused)).toEqual({ word, why });
});
