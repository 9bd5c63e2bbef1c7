import { expect, test } from 'vitest';
import { faultsOf, type Findings, reportOf } from '../../src/cli/demo/report.ts';

const clean: Findings = {
  inspection: {
    tasks: { boefje: { queued: 10, dispatched: 10, completed: 9, failed: 1 } },
    seconds: 4,
    adrift: 0,
    missing: [],
    contradicted: [],
  },
  ledger: { handedOut: 11, tasks: 10, completed: 9, failed: 1, redelivered: 1, handedOutTwice: 0, afterEnd: 0 },
  popWaits: [1, 2],
  eventTimes: [],
  atOnce: { most: 1, limit: null },
  actors: { boefje: { restarts: 1 }, supervisor: { restarts: 0 } },
};
const missing = { scheduler: 'boefje', hash: 'h', about: 'nmap on a in org-1' } as const;

test('the JSON has exactly the keys that are promised', () => {
  expect(reportOf(clean)).toEqual({
    tasks: {
      boefje: { queued: 10, dispatched: 10, completed: 9, failed: 1 },
      normalizer: { queued: 0, dispatched: 0, completed: 0, failed: 0 },
      report: { queued: 0, dispatched: 0, completed: 0, failed: 0 },
    },
    lost: 0,
    handed_out_twice: 0,
    redelivered: 1,
    most_at_once: 1,
    pop_wait_ms: { p50: 1, p99: 2 },
    event_to_worker_ms: { p50: null, p99: null },
    tasks_per_second: 2.5,
    actors: { boefje: { restarts: 1 }, supervisor: { restarts: 0 } },
  });
});

test('redeliveries and restarts are no faults', () => {
  expect(faultsOf(clean, true)).toEqual([]);
});

test('each loss is counted and reported in a sentence', () => {
  const inspection = { ...clean.inspection, adrift: 2, missing: [missing], contradicted: ['task-1'] };
  expect(reportOf({ ...clean, inspection }).lost).toBe(4);
  expect(faultsOf({ ...clean, inspection }, true)).toEqual([
    '2 accepted tasks are neither queued, leased nor finished.',
    '1 tasks that events asked for were never made, such as nmap on a in org-1.',
    '1 tasks are not in the state that workers were told, such as task-1.',
  ]);
});

test('tasks under two leases, tasks after their end, and a queue that makes no progress are faults', () => {
  const ledger = { ...clean.ledger, handedOutTwice: 1, afterEnd: 1 };
  expect(faultsOf({ ...clean, ledger }, false)).toHaveLength(3);
});
