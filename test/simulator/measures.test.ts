import { describe, expect, test } from 'vitest';
import { EventTimes, type HandOut, Ledger, percentiles } from '../../src/simulator/measures.ts';

const leaseMs = 5_000;

function handOut(lease: string, grantedAt: number, attempts = 1): HandOut {
  const leaseUntil = grantedAt + leaseMs;
  return { task: 'task', scheduler: 'boefje', lease, grantedAt, leaseUntil, attempts };
}

describe('what the ledger says of a task that is handed out again', () => {
  test('after its lease expired: redelivered', () => {
    const ledger = new Ledger();
    ledger.handedOut(handOut('a', 0));
    ledger.handedOut(handOut('b', 5_000, 2));
    expect(ledger.counts()).toMatchObject({ handedOut: 2, tasks: 1, redelivered: 1, handedOutTwice: 0 });
  });

  test('while its lease is live: handed out twice', () => {
    const ledger = new Ledger();
    ledger.handedOut(handOut('a', 0));
    ledger.handedOut(handOut('b', 4_999, 2));
    expect(ledger.counts()).toMatchObject({ redelivered: 0, handedOutTwice: 1 });
  });

  test('a heartbeat keeps the lease live', () => {
    const ledger = new Ledger();
    ledger.handedOut(handOut('a', 0));
    ledger.renewed('a', 3_000, leaseMs);
    ledger.handedOut(handOut('b', 7_000, 2));
    expect(ledger.counts()).toMatchObject({ redelivered: 0, handedOutTwice: 1 });
  });

  test('a lease that was declared lost is over at once', () => {
    const ledger = new Ledger();
    ledger.handedOut(handOut('a', 0));
    ledger.settled('a', 'lost');
    ledger.handedOut(handOut('b', 1_000, 2));
    expect(ledger.counts()).toMatchObject({ redelivered: 1, handedOutTwice: 0 });
  });

  test('every live lease counts, not only the latest', () => {
    const ledger = new Ledger();
    ledger.handedOut(handOut('a', 0));
    ledger.renewed('a', 4_000, leaseMs);
    ledger.handedOut(handOut('b', 4_500, 2));
    ledger.settled('b', 'lost');
    ledger.handedOut(handOut('c', 8_000, 3));
    expect(ledger.counts().handedOutTwice).toBe(2);
  });

  test('although its end was confirmed: distinguished from both', () => {
    const ledger = new Ledger();
    ledger.handedOut(handOut('a', 0));
    ledger.settled('a', 'completed');
    ledger.handedOut(handOut('b', 9_000, 2));
    expect(ledger.counts()).toMatchObject({ afterEnd: 1, redelivered: 0, handedOutTwice: 0 });
  });

  test('a first hand-out that its worker never began, which is no attempt, makes the second a redelivery', () => {
    const ledger = new Ledger();
    ledger.handedOut(handOut('a', 0));
    ledger.handedOut(handOut('b', 5_000, 1));
    expect(ledger.counts()).toMatchObject({ handedOut: 2, redelivered: 1 });
  });

  test('an attempt that this ledger does not know makes the next a redelivery', () => {
    const ledger = new Ledger();
    ledger.handedOut(handOut('b', 5_000, 2));
    expect(ledger.counts()).toMatchObject({ handedOut: 1, redelivered: 1 });
  });
});

test('the first confirmed end of a lease counts', () => {
  const ledger = new Ledger();
  ledger.handedOut(handOut('a', 0));
  ledger.settled('a', 'failed');
  ledger.settled('a', 'lost');
  expect(ledger.confirmed()).toEqual(new Map([['task', 'failed']]));
  expect(ledger.counts()).toMatchObject({ failed: 1, completed: 0 });
});

test('percentiles are values that occurred', () => {
  expect(percentiles([5, 1, 3, 2, 4])).toEqual({ p50: 3, p99: 5 });
  expect(percentiles(Array.from({ length: 200 }, (_, at) => at + 1))).toEqual({ p50: 100, p99: 198 });
});

test('nothing measured is null, not zero', () => {
  expect(percentiles([])).toEqual({ p50: null, p99: null });
});

test('an event is timed to the first handler it causes', () => {
  const times = new EventTimes();
  times.published('a', true, 100);
  times.handlerStarted('a', 107);
  times.handlerStarted('a', 150);
  expect(times.milliseconds()).toEqual([7]);
});

test('an event published while no worker waited is not timed', () => {
  const times = new EventTimes();
  times.published('a', false, 100);
  times.handlerStarted('a', 107);
  expect(times.milliseconds()).toEqual([]);
});
