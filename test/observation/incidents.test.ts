import { afterEach, beforeEach, expect, test } from 'vitest';
import { Incidents } from '../../src/observation/incidents.ts';
import type { IncidentView } from '../../src/protocol/operator-status.ts';
import { emit } from '../../src/telemetry/events.ts';

let incidents: Incidents;
let kept: IncidentView[];
let now = 0;
beforeEach(() => {
  kept = [];
  incidents = new Incidents({ instance: 'aaaa', now: () => now, keep: (incident) => void kept.push(incident) });
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

test('what comes and goes all day is kept thirty times an hour, with its ends; the rest is kept as ever', () => {
  const flap = () => {
    circuit('open');
    circuit('closed');
  };
  for (let n = 0; n < 250; n += 1) flap();
  emit({ name: 'actor.stopped', actor: 'boefje', code: 'BROKEN', message: 'heap limit' });
  emit({ name: 'actor.started', actor: 'boefje', restarts: 1 });
  expect(kept).toHaveLength(1 + 60 + 2);
  expect(kept.at(-4)).toMatchObject({
    happened: 'opened',
    why: 'no more of it is kept within an hour; the log has all',
  });
  now += 3_600_000;
  flap();
  expect(kept.slice(-2)).toMatchObject([{ happened: 'opened', why: null }, { happened: 'closed' }]);
});

test('each is short and without control characters, and the last hundred are remembered', () => {
  for (let n = 0; n < 30; n += 1) {
    const message = `${n}\u001B[2J${'x'.repeat(10_000)}`;
    for (const actor of ['boefje', 'normalizer', 'report', 'other', 'more']) {
      emit({ name: 'actor.stopped', actor, code: 'BROKEN', message });
      emit({ name: 'actor.started', actor, restarts: n + 1 });
    }
  }
  const remembered = incidents.list();
  expect(kept).toHaveLength(301);
  expect(remembered).toHaveLength(100);
  expect(remembered).toEqual(kept.toReversed().slice(0, 100));
  expect(remembered[1]).toMatchObject({ instance: 'aaaa', about: 'actor more', happened: 'stopped' });
  expect(remembered[3]!.why).toContain('29');
  expect(JSON.stringify(remembered).length).toBeLessThan(60_000);
  expect(remembered[3]!.why).not.toContain('\u001B');
});

test('a supervisor that vanished is told of under its own name, and an end in order is the last', () => {
  incidents.vanished('bbbb', '2026-03-02T12:00:00Z');
  incidents.stop();
  expect(kept.slice(1)).toMatchObject([
    { instance: 'bbbb', about: 'supervisor', happened: 'vanished', why: 'last seen at 2026-03-02T12:00:00Z' },
    { instance: 'aaaa', about: 'supervisor', happened: 'ended' },
  ]);
});
