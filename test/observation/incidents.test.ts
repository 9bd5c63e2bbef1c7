import { afterEach, beforeEach, expect, test } from 'vitest';
import { Incidents } from '../../src/observation/incidents.ts';
import { emit } from '../../src/telemetry/events.ts';

let incidents: Incidents;
beforeEach(() => {
  incidents = new Incidents(() => 0);
});
afterEach(() => incidents.stop());

const told = () => incidents.list().map(({ about, happened, why }) => [about, happened, why]);
const circuit = (state: 'open' | 'half-open' | 'closed', actor = 'boefje') =>
  emit({ name: 'circuit.changed', actor, service: 'octopoes', state });

test('a circuit that opens and half-opens for hours is one incident and its end', () => {
  emit({ name: 'part.failed', part: 'octopoes', link: 'octopoes', reason: 'octopoes answered 503' });
  for (let probe = 0; probe < 50; probe += 1) {
    circuit('open');
    circuit('half-open');
  }
  circuit('closed');
  circuit('closed');
  expect(told()).toEqual([
    ['circuit octopoes of boefje', 'closed', null],
    ['circuit octopoes of boefje', 'opened', 'octopoes answered 503'],
    ['supervisor', 'started', null],
  ]);
});

test('a circuit that is open in two threads is closed when both are, or when its thread ends', () => {
  circuit('open');
  circuit('open', 'normalizer');
  circuit('closed');
  emit({ name: 'actor.stopped', actor: 'normalizer', code: 'KILLED', message: 'killed' });
  expect(told().slice(0, 4)).toEqual([
    ['circuit octopoes of normalizer', 'closed', 'its actor stopped'],
    ['actor normalizer', 'stopped', 'killed'],
    ['circuit octopoes of boefje', 'closed', null],
    ['circuit octopoes of normalizer', 'opened', null],
  ]);
});

test('the database is away once and back once; a stream that connects for the first time is no incident', () => {
  const outage = { name: 'outage.changed', part: 'database', seconds: 60, failures: 9, reason: 'refused' } as const;
  emit({ ...outage, now: 'began', seconds: 0 });
  emit({ ...outage, now: 'lasts' });
  emit({ ...outage, now: 'ended', seconds: 75 });
  emit({ ...outage, part: 'octopoes', now: 'began' });
  emit({ name: 'source.connected', source: 'rabbitmq:raw_file_received' });
  expect(told().slice(0, -1)).toEqual([
    ['database', 'back', 'after 75 s'],
    ['database', 'away', 'refused'],
  ]);
});

test('the last hundred are kept, each short and without control characters', () => {
  for (let n = 0; n < 250; n += 1) {
    emit({ name: 'actor.stopped', actor: 'boefje', code: 'BROKEN', message: `${n}\u001B[2J${'x'.repeat(10_000)}` });
  }
  const kept = incidents.list();
  expect(kept).toHaveLength(100);
  expect(kept[0]!.why).toMatch(/^249/);
  expect(JSON.stringify(kept).length).toBeLessThan(60_000);
  expect(kept[0]!.why).not.toContain('\u001B');
});
