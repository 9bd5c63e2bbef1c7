import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { emit } from '../../src/telemetry/events.ts';
import { logEvents } from '../../src/telemetry/logging.ts';
import { partAnswered, partFailed } from '../../src/telemetry/outages.ts';
import { logToLines } from '../support/lines.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
afterEach(() => vi.useRealTimers());

/** The lines of what `happens`, without what differs from run to run. */
function linesOf(happens: () => void): readonly Record<string, unknown>[] {
  const { log, lines } = logToLines({ format: 'json', debug: false });
  const end = logEvents(log);
  happens();
  end();
  return lines.map((line) => {
    const { timestamp: _, logger: _logger, ...fields } = JSON.parse(line) as Record<string, unknown>;
    return fields;
  });
}

test('an outage is a line when it begins, one a minute with how often it failed, and one when it ends', () => {
  const lines = linesOf(() => {
    for (let tenth = 0; tenth < 1_300; tenth += 1) {
      partFailed('database', 'the database is read-only');
      // Reads go on meanwhile.
      partAnswered('database');
      vi.advanceTimersByTime(100);
    }
    vi.advanceTimersByTime(600_000);
  });
  expect(lines).toEqual([
    { level: 'warning', event: 'outage begins', part: 'database', reason: 'the database is read-only' },
    {
      level: 'warning',
      event: 'outage goes on',
      part: 'database',
      seconds: 60,
      failures: 600,
      reason: 'the database is read-only',
    },
    {
      level: 'warning',
      event: 'outage goes on',
      part: 'database',
      seconds: 120,
      failures: 1_200,
      reason: 'the database is read-only',
    },
    { level: 'info', event: 'outage ends', part: 'database', seconds: 134, failures: 1_300 },
  ]);
});

test('a part that nobody asks meanwhile is away until it answers', () => {
  const lines = linesOf(() => {
    partFailed('katalogus', 'no answer');
    vi.advanceTimersByTime(61_000);
    partAnswered('katalogus');
    vi.advanceTimersByTime(5_000);
    partAnswered('katalogus');
  });
  expect(lines.map(({ event }) => event)).toEqual(['outage begins', 'outage goes on', 'outage ends']);
});

test('NATS, and the streams on it, are one part; it is back when every connection to it is', () => {
  const lines = linesOf(() => {
    partFailed('nats', 'the connection is lost');
    for (const stream of ['raw_file_received', 'scan_profile_mutations'])
      emit({ name: 'source.lost', source: `jetstream:${stream}`, message: 'connection lost' });
    partAnswered('nats');
    emit({ name: 'source.connected', source: 'jetstream:raw_file_received' });
    vi.advanceTimersByTime(10_000);
    emit({ name: 'source.connected', source: 'jetstream:scan_profile_mutations' });
    vi.advanceTimersByTime(1_000);
  });
  expect(lines.filter(({ event }) => String(event).startsWith('outage'))).toEqual([
    { level: 'warning', event: 'outage begins', part: 'nats', reason: 'the connection is lost' },
    { level: 'info', event: 'outage ends', part: 'nats', seconds: 11, failures: 3 },
  ]);
});

test('a circuit that opens and half-opens, and a broker that is asked again and again, add no lines', () => {
  const lines = linesOf(() => {
    for (let n = 0; n < 50; n += 1) {
      emit({ name: 'circuit.changed', service: 'katalogus', state: n % 2 === 0 ? 'open' : 'half-open' });
      emit({ name: 'source.lost', source: 'rabbitmq:raw_file_received', message: 'ECONNREFUSED' });
      vi.advanceTimersByTime(1_000);
    }
  });
  expect(lines).toMatchObject([{ event: 'outage begins', part: 'rabbitmq', reason: 'ECONNREFUSED' }]);
});
