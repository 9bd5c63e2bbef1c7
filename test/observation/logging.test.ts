import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { logEvents } from '../../src/observation/logging.ts';
import { emit, partAnswered, partFailed } from '../../src/telemetry/events.ts';
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

test('a part that is not asked meanwhile is away until it answers', () => {
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
      emit({
        name: 'circuit.changed',
        actor: 'boefje',
        service: 'katalogus',
        state: n % 2 === 0 ? 'open' : 'half-open',
      });
      emit({ name: 'source.lost', source: 'rabbitmq:raw_file_received', message: 'ECONNREFUSED' });
      vi.advanceTimersByTime(1_000);
    }
  });
  expect(lines).toMatchObject([{ event: 'outage begins', part: 'rabbitmq', reason: 'ECONNREFUSED' }]);
});

test('each decision about a task is a line of its own at debug, and none without', () => {
  const loud = logToLines({ format: 'json', debug: true });
  const quiet = logToLines({ format: 'json', debug: false });
  const ends = [logEvents(loud.log), logEvents(quiet.log)];
  const tasks = ['1', '2'].map((id) => ({ id, organisation: 'aa' }));
  emit({ name: 'tasks.queued', scheduler: 'boefje', tasks });
  const refused = [{ organisation: 'aa', hash: 'h' }];
  emit({ name: 'tasks.refused', scheduler: 'boefje', reason: 'already-queued', count: 1, tasks: refused });
  // What an actor declined, its thread has logged.
  emit({ name: 'tasks.refused', scheduler: 'boefje', reason: 'no-scan-profile', count: 7 });
  for (const end of ends) end();
  expect(loud.lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { event: 'task queued', task_id: '1', organisation_id: 'aa', scheduler_id: 'boefje' },
    { event: 'task queued', task_id: '2' },
    { event: 'task declined', task_hash: 'h', organisation_id: 'aa', reason: 'already-queued' },
  ]);
  expect(quiet.lines).toEqual([]);
});

test('failures of one kind are a line a minute that counts those since the last one', () => {
  const { log, lines } = logToLines({ format: 'json', debug: false });
  const failure = { code: 'SERVICE_REJECTED', message: 'not as agreed' };
  for (let second = 0; second < 150; second += 1) {
    log.warn({ failure }, 'not corrected');
    vi.advanceTimersByTime(1_000);
  }
  expect(lines.map((line) => (JSON.parse(line) as { count?: number }).count)).toEqual([undefined, 60, 60]);
});

test('dropped requests are a line a minute that counts those since the last one', () => {
  const lines = linesOf(() => {
    for (let second = 0; second < 150; second += 1) {
      emit({ name: 'request.dropped', reason: 'no-reply', subject: 'rota.pop.boefje', reply: '' });
      vi.advanceTimersByTime(1_000);
    }
  });
  expect(lines.map(({ count }) => count)).toEqual([1, 60, 60]);
});

test('refused requests are a line a minute for each edge and kind of budget, with the client', () => {
  const lines = linesOf(() => {
    const of = 'client';
    for (let second = 0; second < 90; second += 1) {
      emit({ name: 'request.refused', edge: 'nats', of, client: '_INBOX_a', reason: '2000 pops (NATS_CLIENT_POPS)' });
      if (second === 10) emit({ name: 'request.refused', edge: 'nats', of: 'all', client: '_INBOX_b', reason: 'full' });
      if (second === 20) emit({ name: 'request.refused', edge: 'rest', of, client: '::1', reason: '2000 pops' });
      vi.advanceTimersByTime(1_000);
    }
  });
  expect(lines.map(({ edge, of, client, count }) => [edge, of, client, count])).toEqual([
    ['nats', 'client', '_INBOX_a', 1],
    ['nats', 'all', '_INBOX_b', 1],
    ['rest', 'client', '::1', 1],
    ['nats', 'client', '_INBOX_a', 60],
  ]);
});
