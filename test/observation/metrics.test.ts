import { expect, onTestFinished, test } from 'vitest';
import { createMetrics } from '../../src/observation/metrics.ts';
import type { Readings } from '../../src/observation/readings.ts';
import { emit } from '../../src/telemetry/events.ts';
import { quietReadings } from '../support/readings.ts';
import { read, type Scrape } from '../support/scrape.ts';

function metricsOf(readings: Partial<Readings> = {}): { scrape(): Promise<Scrape> } {
  const { registry, stop } = createMetrics({ ...quietReadings, ...readings });
  onTestFinished(stop);
  return { scrape: async () => read(await registry.metrics()) };
}

const actor = (name: string, restarts: number) =>
  ({ name, phase: 'running', phaseSeconds: 1, restarts, retryAt: null, lastFailure: null }) as const;

test('a source that cannot be read leaves its metrics without samples; the scrape shows the others', async () => {
  const { scrape } = metricsOf({
    heads: () => Promise.reject(new Error('away')),
    waiters: () => new Map([['boefje', 3]]),
  });
  const seen = await scrape();
  expect(seen.value('rota_queue_head_seconds')).toBeNull();
  expect(seen.value('rota_waiters', { scheduler: 'boefje' })).toBe(3);
});

test('one scrape asks once for what several metrics show parts of, the next one asks again', async () => {
  let asked = 0;
  const { scrape } = metricsOf({
    actors: () => {
      asked += 1;
      return [actor('boefje', 2)];
    },
  });
  const seen = await scrape();
  expect([seen.value('rota_actor_up'), seen.value('rota_actor_restarts_total'), asked]).toEqual([1, 2, 1]);
  await scrape();
  expect(asked).toBe(2);
});

test('what is no longer there is no longer shown', async () => {
  const organisations = [{ scheduler: 'boefje', organisation: 'aa', queued: 1 }];
  const { scrape } = metricsOf({ organisations: async () => organisations.splice(0) });
  expect((await scrape()).value('rota_queue_organisation_tasks', { organisation: 'aa' })).toBe(1);
  expect((await scrape()).value('rota_queue_organisation_tasks')).toBeNull();
});

test('a set of tasks counts each, whatever its size; a wait without an end is left out and ends nothing', async () => {
  const { scrape } = metricsOf();
  const claim = { name: 'claim.completed', scheduler: 'boefje', waiters: 2, rows: 3, ms: 4 } as const;
  const asked = { asked: null, filtered: false, organisations: [], plugins: [], images: ['', '', ''], ranks: [] };
  emit({ ...claim, ...asked, waited: [0.2, 20, Number.POSITIVE_INFINITY] });
  const seen = await scrape();
  expect(seen.value('rota_claim_rows_sum')).toBe(3);
  expect(seen.value('rota_claim_seconds_sum')).toBe(0.004);
  expect(seen.value('rota_queue_to_worker_seconds_count')).toBe(2);
  expect(seen.value('rota_queue_to_worker_seconds_bucket', { le: '0.5' })).toBe(1);
});

test('what an alert waits for is there at 0 before it happens: `increase` does not see a counter that begins at 1', async () => {
  const { scrape } = metricsOf();
  const before = await scrape();
  expect(before.value('rota_errors_uncaught_total', { kind: 'rejection' })).toBe(0);
  expect(before.value('rota_errors_uncaught_total', { kind: 'exception' })).toBe(0);
  expect(before.value('rota_requests_dropped_total', { reason: 'reply-subject' })).toBe(0);
  emit({ name: 'request.dropped', reason: 'reply-subject', subject: 'rota.pop.boefje', reply: 'x' });
  expect((await scrape()).value('rota_requests_dropped_total', { reason: 'reply-subject' })).toBe(1);
});
