import { expect, test } from 'vitest';
import { RotaError } from '../../src/errors.ts';
import { contextOf, currentTrace, inTrace, newTrace } from '../../src/mailbox/trace.ts';
import { next } from '../../src/telemetry/events.ts';
import { handlerSpanName, pushSpanName } from '../../src/telemetry/scheduler-spans.ts';
import { inSpan, placeOf, startSpan } from '../../src/telemetry/spans.ts';
import { followSpans } from '../support/ended-spans.ts';

test('without a subscriber no span begins, and work runs as it is', async () => {
  expect(startSpan('unobserved')).toBeNull();
  await inSpan('unobserved', {}, async (span) => {
    expect([span, currentTrace()]).toEqual([null, '']);
  });
});

test('work within a span is part of it, across awaits', async () => {
  const spans = followSpans();
  await inSpan('outer', {}, async () => {
    await Promise.resolve();
    await inSpan('inner', {}, async () => undefined);
  });
  const [inner, outer] = await spans();
  expect([inner!.name, outer!.name]).toEqual(['inner', 'outer']);
  expect([inner!.parent, outer!.parent]).toEqual([outer!.trace, '']);
});

test('what fails leaves its code, and never its message', async () => {
  const spans = followSpans();
  const broken = inSpan('broken', {}, () => Promise.reject(new RotaError('CONFLICT', 'a secret')));
  await expect(broken).rejects.toThrow('a secret');
  expect(await spans()).toMatchObject([{ name: 'broken', failure: 'CONFLICT' }]);
  expect(JSON.stringify(await spans())).not.toContain('secret');
});

test('spans that end in one turn of the event loop are one event', async () => {
  followSpans();
  const told = next('spans.ended');
  for (let at = 0; at < 1_000; at += 1) startSpan('one')!.end();
  expect((await told).spans).toHaveLength(1_000);
});

test('what is no traceparent is no parent: a span begins a trace then', async () => {
  const spans = followSpans();
  startSpan('child', { parent: "00-'; DROP TABLE tasks" })!.end();
  const [span] = await spans();
  expect(span!.parent).toBe('');
  expect(contextOf(span!.trace)).not.toBeNull();
});

test('a span is a child of the request of its own trace, and is linked to that of another', () => {
  const task = newTrace();
  const [{ traceId }, other] = [contextOf(task)!, newTrace()];
  const request = `00-${traceId}-00f067aa0ba902b7-01`;
  expect(inTrace(request, () => placeOf(task))).toEqual({ parent: request, links: [] });
  expect(inTrace(other, () => placeOf(task))).toEqual({ parent: task, links: [other] });
  expect(placeOf(task)).toEqual({ parent: task, links: [] });
});

test.for([
  ['boefje', 'scan-profile-mutated', 'BoefjeScheduler.process_mutations'],
  ['boefje', 'look-for-new-boefjes', 'BoefjeScheduler.process_new_boefjes'],
  ['boefje', 'reschedule', 'BoefjeScheduler.process_rescheduling'],
  ['normalizer', 'raw-file-received', 'NormalizerScheduler.process_raw_data'],
  ['report', 'reschedule', 'ReportScheduler.process_rescheduling'],
  ['port-scan', 'tick-tock', 'PortScanScheduler.tick_tock'],
])('a %s handler of %s is called %s', ([type, kind, name]) => {
  expect(handlerSpanName(type!, kind!)).toBe(name);
});

test('a push is called as mula calls it', () => {
  expect(['boefje', 'normalizer', 'report', 'port-scan'].map(pushSpanName)).toEqual([
    'BoefjeScheduler.push_boefje_task',
    'NormalizerScheduler.push_normalizer_task',
    'ReportScheduler.push_report_task',
    'PortScanScheduler.push_port_scan_task',
  ]);
});
