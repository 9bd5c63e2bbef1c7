import { expect, test } from 'vitest';
import { contextOf, newTrace, partOf } from '../../src/mailbox/trace.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

test('a traceparent gives trace, span and whether it is sampled', () => {
  expect(contextOf(`00-${traceId}-${spanId}-01`)).toEqual({ traceId, spanId, sampled: true });
  expect(contextOf(`00-${traceId}-${spanId}-02`)).toEqual({ traceId, spanId, sampled: false });
});

test('a later version may say more, and is understood as far as we know it', () => {
  expect(contextOf(`cc-${traceId}-${spanId}-01-what-the-future-brings`)).toEqual({ traceId, spanId, sampled: true });
});

test.for([
  ['', 'nothing'],
  [`ff-${traceId}-${spanId}-01`, 'the version that is none'],
  [`00-${traceId}-${spanId}-01-more`, 'more than this version has'],
  [`00-${'0'.repeat(32)}-${spanId}-01`, 'no trace'],
  [`00-${traceId}-${'0'.repeat(16)}-01`, 'no span'],
  [`00-${traceId.toUpperCase()}-${spanId}-01`, 'upper case'],
  [` 00-${traceId}-${spanId}-01`, 'a blank before it'],
])('%j is no traceparent: %s', ([trace]) => {
  expect(contextOf(trace!)).toBeNull();
});

test('a part stays in its trace and keeps whether it is sampled; a part of nothing begins a trace', () => {
  const [whole, unsampled] = [newTrace(), `00-${traceId}-${spanId}-00`];
  expect(contextOf(partOf(whole))).toMatchObject({ traceId: contextOf(whole)!.traceId, sampled: true });
  expect(contextOf(partOf(whole))!.spanId).not.toBe(contextOf(whole)!.spanId);
  expect(contextOf(partOf(unsampled))).toMatchObject({ traceId, sampled: false });
  expect(contextOf(partOf('garbage'))).toMatchObject({ sampled: true });
});
