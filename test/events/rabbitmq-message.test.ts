import type { AsyncMessage } from 'rabbitmq-client';
import { expect, test } from 'vitest';
import { forwarded } from '../../src/events/rabbitmq-message.ts';

const headersOf = (headers: Record<string, unknown>) =>
  forwarded({ headers } as AsyncMessage, { to: 'alone', attempts: 0 }, new Date(0)).headers!;

test('an event goes on with those of its headers that the driver can write again', () => {
  const plain = { trace: 'abc', urgent: true, count: 3, ratio: 0.5 };
  const hostile = {
    // NaN and these go as 64-bit integers, and throw: the event would stay unacknowledged forever.
    nothing: Number.NaN,
    below: Number.NEGATIVE_INFINITY,
    vast: -1e300,
    unsigned: 2n ** 64n - 1n,
    nested: { in: { in: [Number.NaN] } },
    // With what Rota adds, no longer one frame.
    long: 'x'.repeat(130_000),
  };
  expect(headersOf({ ...hostile, ...plain })).toEqual(plain);
});

test('so many headers that they fill a frame are cut to what leaves room for those of Rota', () => {
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`${'n'.repeat(200)}${at}`, '€'.repeat(900)]));
  expect(Buffer.byteLength(JSON.stringify(headersOf(many)))).toBeLessThan(120_000);
});
