import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventHandler } from '../../src/events/source.ts';
import { type Destination, errorLine, type EventLane, type Received } from '../../src/events/delivery.ts';
import { createIntake } from '../../src/events/intake.ts';
import type { Result } from '../../src/mailbox/failure.ts';

const timing = { retryMs: [10, 20], holdMs: [0, 0], longestHoldMs: 60_000, reconnectMs: [0, 0], ackWaitMs: 1 } as const;
const body = Buffer.from(JSON.stringify({ operation: 'delete', primary_key: 'a', value: null, client_id: 'aa' }));

const done: Result<unknown> = { ok: true, value: null };
const failure = (code: string): Result<unknown> => ({ ok: false, failure: { code, message: 'so', retryable: true } });

function intakeOf(handler: EventHandler, maxAttempts = 3) {
  return createIntake({
    stream: 'scan_profile_mutations',
    handler,
    maxAttempts,
    timing,
    tell: () => {},
    note: () => {},
  });
}

/** A failure with one of these says nothing about the event: something is away, refuses, or is not there. */
const nameNothing: readonly string[] = [
  'SERVICE_UNAVAILABLE',
  'DATABASE_UNAVAILABLE',
  'SCHEMA_UNKNOWN',
  'BAD_CONFIG',
  'MAILBOX_FULL',
  'QUEUE_FULL',
  'ASK_TIMEOUT',
  'ACTOR_TERMINATED',
  'DRAINING',
];

/** A delivery and what became of it. */
function delivery(of: Partial<Received> = {}): { received: Received; fate: (Destination | 'acknowledged')[] } {
  const fate: (Destination | 'acknowledged')[] = [];
  const received: Received = {
    lane: 'main',
    body,
    attempts: 0,
    redelivered: false,
    countable: true,
    trace: '',
    gone: new AbortController().signal,
    acknowledge: async () => void fate.push('acknowledged'),
    move: async (to) => void fate.push(to),
    ...of,
  };
  return { received, fate };
}

describe('what becomes of an event', () => {
  test('that what handles it cannot even begin with is its end, and no rejection that nothing catches', async () => {
    const intake = intakeOf(() => {
      throw new RangeError('Maximum call stack size exceeded');
    });
    const { received, fate } = delivery();
    await intake.receive(received);
    const failure = { code: 'BROKEN', message: 'Maximum call stack size exceeded', retryable: false };
    expect(fate).toEqual([{ to: 'dead', attempts: 0, failure }]);
  });

  test('is decided once, and what does not name the event counts no attempt, whatever the handler does', async () => {
    const outcomes = fc.array(fc.constantFrom('done', ...nameNothing, 'SERVICE_REJECTED', 'RANK_FAILED', 'BROKEN'));
    const scene = fc.record({
      outcomes,
      lane: fc.constantFrom<EventLane>('main', 'alone'),
      attempts: fc.nat(4),
      maxAttempts: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(scene, async ({ outcomes, lane, attempts, maxAttempts }) => {
        const script = [...outcomes, 'done'];
        const decisive = script.find((outcome) => !nameNothing.includes(outcome));
        const intake = intakeOf(async () => {
          const outcome = script.shift()!;
          return outcome === 'done' ? done : failure(outcome);
        }, maxAttempts);
        const { received, fate } = delivery({ lane, attempts });
        await intake.receive(received);
        expect(fate).toHaveLength(1);
        if (decisive === 'done') expect(fate).toEqual(['acknowledged']);
        else if (attempts + 1 >= maxAttempts) expect(fate).toMatchObject([{ to: 'dead', attempts: attempts + 1 }]);
        else expect(fate).toMatchObject([{ to: 'retry', attempts: attempts + 1 }]);
      }),
    );
  });

  test('is handed over as one that comes again when it was held in an outage, failed, or its thread died', async () => {
    const again: boolean[] = [];
    const script = [failure('SERVICE_UNAVAILABLE'), done, done, done];
    const intake = intakeOf(async (_event, delivery) => {
      again.push(delivery.again);
      return script.shift()!;
    });
    await intake.receive(delivery().received);
    await intake.receive(delivery({ lane: 'alone', attempts: 1 }).received);
    intake.interrupted('main', 1);
    await intake.receive(delivery({ redelivered: true }).received);
    expect(again).toEqual([false, true, true, true]);
  });

  test('a handler that throws counts as one that failed', async () => {
    const { received, fate } = delivery();
    await intakeOf(async () => {
      throw new TypeError('undefined is not a function');
    }).receive(received);
    expect(fate).toEqual([{ to: 'retry', attempts: 1, delayMs: 10 }]);
  });

  test('redelivered after a death it goes alone; there once more, it is dead', async () => {
    const intake = intakeOf(async () => done, 2);
    const [first, again] = [
      delivery({ redelivered: true }),
      delivery({ redelivered: true, lane: 'alone', attempts: 1 }),
    ];
    await intake.receive(first.received);
    await intake.receive(again.received);
    expect(first.fate).toEqual([{ to: 'alone', attempts: 1 }]);
    expect(again.fate).toMatchObject([{ to: 'dead', attempts: 2, failure: { code: 'ACTOR_TERMINATED' } }]);
  });

  test('one that has no room for a count of its attempts is dead at its first failure, and at its first death alone', async () => {
    const uncountable = { countable: false, redelivered: true } as const;
    const failing = delivery({ countable: false });
    const [innocent, suspected] = [delivery(uncountable), delivery({ ...uncountable, lane: 'alone' })];
    await intakeOf(async () => failure('SERVICE_REJECTED')).receive(failing.received);
    await intakeOf(async () => done).receive(innocent.received);
    await intakeOf(async () => done).receive(suspected.received);
    expect(failing.fate).toMatchObject([{ to: 'dead', attempts: 1, failure: { code: 'SERVICE_REJECTED' } }]);
    // In the main lane it was one of many.
    expect(innocent.fate).toEqual([{ to: 'alone', attempts: 1 }]);
    expect(suspected.fate).toMatchObject([{ to: 'dead', attempts: 1, failure: { code: 'ACTOR_TERMINATED' } }]);
  });

  test('redelivered after our own connection was cut it is handled as if nothing had been', async () => {
    const intake = intakeOf(async () => done);
    intake.interrupted('main', 1);
    const [ours, other] = [delivery({ redelivered: true }), delivery({ redelivered: true })];
    await intake.receive(ours.received);
    await intake.receive(other.received);
    expect(ours.fate).toEqual(['acknowledged']);
    expect(other.fate).toEqual([{ to: 'alone', attempts: 1 }]);
  });

  test('a broker that cannot store keeps it unacknowledged until it can', async () => {
    let refusals = 3;
    const { received, fate } = delivery();
    const intake = intakeOf(async () => done);
    await intake.receive({
      ...received,
      acknowledge: async () => {
        if (refusals-- > 0) throw new Error('blocked');
        fate.push('acknowledged');
      },
    });
    expect(fate).toEqual(['acknowledged']);
    expect(intake.counts).toMatchObject({ inHand: 0, done: 1 });
  });

  test('what the broker has taken back is not settled, nor tried again', async () => {
    const gone = new AbortController();
    let calls = 0;
    const { received, fate } = delivery({ gone: gone.signal });
    await intakeOf(async () => {
      calls += 1;
      gone.abort();
      return failure('SERVICE_UNAVAILABLE');
    }).receive(received);
    expect({ calls, fate }).toEqual({ calls: 1, fate: [] });
  });
});

test('an error in a header is one bounded line of plain characters', () => {
  const text = errorLine({ code: 'BROKEN', message: `first\nsecond\u{1f4a5}${'x'.repeat(5_000)}`, retryable: false });
  expect(text).toMatch(/^BROKEN: first second x+$/);
  expect(text).toHaveLength(1_000);
});
