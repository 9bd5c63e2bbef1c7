import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { createServiceClient } from '../../src/kat/request.ts';
import { contextOf } from '../../src/mailbox/trace.ts';
import { inSpan } from '../../src/telemetry/spans.ts';
import { followSpans } from '../support/ended-spans.ts';
import { fakeTime, startDouble } from './http-double.ts';

const answer = z.object({ healthy: z.boolean() });

/** Katalogus, which fails so many times before it answers. */
async function katalogus(failures: number) {
  let left = failures;
  const double = await startDouble(() => (left-- > 0 ? { status: 503 } : { body: { healthy: true } }));
  onTestFinished(() => double.stop());
  return { double, client: createServiceClient('katalogus', double.settings(), fakeTime()) };
}

test('a request takes the trace to the service of KAT, each try as a span of its own', async () => {
  const { double, client } = await katalogus(1);
  const spans = followSpans();
  await inSpan('decision', {}, () => client.ask({ path: ['health'], query: { ooi: 'Hostname|a.nl' }, answer }));

  const [failed, done, decision] = await spans();
  expect([failed, done].map((span) => span!.parent)).toEqual([decision!.trace, decision!.trace]);
  expect(double.received.map(({ headers }) => headers['traceparent'])).toEqual([failed!.trace, done!.trace]);
  expect(contextOf(done!.trace)!.traceId).toBe(contextOf(decision!.trace)!.traceId);
  expect([failed!.failure, done!.failure]).toEqual(['SERVICE_UNAVAILABLE', null]);
  expect(done!).toMatchObject({ name: 'GET katalogus', kind: 'client' });
  expect(done!.attributes).toEqual({
    'http.request.method': 'GET',
    'url.path': '/health',
    'server.address': new URL(double.url).host,
    'http.response.status_code': 200,
  });
});

test('a request carries no trace where there is no subscriber', async () => {
  const { double, client } = await katalogus(0);
  await client.ask({ path: ['health'], answer });
  expect(double.received[0]!.headers['traceparent']).toBeUndefined();
});
