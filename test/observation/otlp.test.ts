import { createServer, type AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { contextOf, newTrace } from '../../src/mailbox/trace.ts';
import { exportSpans } from '../../src/observation/otlp.ts';
import { startSpan } from '../../src/telemetry/spans.ts';
import { type Collector, startCollector } from '../support/otlp-collector.ts';

async function collecting(): Promise<Collector> {
  const collector = await startCollector();
  onTestFinished(() => collector.stop());
  return collector;
}

function exporting(endpoint: string, options: { flushWithinMs?: number } = {}) {
  const warn = vi.fn();
  return { stop: exportSpans({ endpoint, version: '1.2.3', instance: 'one', log: { warn }, ...options }), warn };
}

/** What makes the exporter send at once. */
const batch = 512;

test('a collector receives what a span is, was part of and has to do with', async () => {
  const collector = await collecting();
  const { stop } = exporting(collector.url);
  const [parent, link] = [newTrace(), newTrace()];
  const span = startSpan('work', { kind: 'client', parent, links: [link], attributes: { 'rota.count': 3 } })!;
  span.fail({ code: 'ASK_TIMEOUT' });
  span.end();
  await stop();
  const { traceId, spanId } = contextOf(span.trace)!;
  expect(collector.spans).toEqual([
    {
      service: 'mula',
      name: 'work',
      kind: 3,
      traceId,
      spanId,
      parentId: contextOf(parent)!.spanId,
      attributes: { 'rota.count': 3, 'error.type': 'ASK_TIMEOUT' },
      links: [{ traceId: contextOf(link)!.traceId, spanId: contextOf(link)!.spanId }],
      failed: true,
    },
  ]);
});

test('a trace that its beginner does not sample is not exported', async () => {
  const collector = await collecting();
  const { stop } = exporting(collector.url);
  startSpan('unsampled', { parent: newTrace().replace(/01$/, '00') })!.end();
  startSpan('sampled', { parent: newTrace() })!.end();
  await stop();
  expect(collector.spans.map(({ name }) => name)).toEqual(['sampled']);
});

test('a collector that refuses is logged once, however often it refuses', async () => {
  const collector = await collecting();
  collector.refuse();
  const { stop, warn } = exporting(collector.url);
  for (const times of [1, 2, 3]) {
    for (let at = 0; at < batch; at += 1) startSpan('refused')!.end();
    await vi.waitFor(() => expect(collector.refused()).toBe(times));
  }
  await stop();
  expect(warn.mock.calls).toEqual([
    [expect.objectContaining({ variable: 'SPAN_EXPORT_GRPC_ENDPOINT', count: 1 }), 'traces are not exported'],
  ]);
  expect(JSON.stringify(warn.mock.calls)).toContain('not here');
});

test('a collector that accepts and never answers does not hold up the end', async () => {
  const mute = createServer(() => undefined);
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void mute.close());
  const { stop } = exporting(`http://127.0.0.1:${(mute.address() as AddressInfo).port}`, { flushWithinMs: 20 });
  startSpan('left')!.end();
  await stop();
});
