import { expect, test } from 'vitest';
import { supervisorCommands, type SupervisorPorts } from '../../src/control/supervisor.ts';
import type { ThreadStatus } from '../../src/supervisor/thread-control.ts';

// Cut where it is, it would end in half a character.
const long = `${'x'.repeat(498)}${'😀'.repeat(1_000_000)}`;
const lane = { kind: 'k', queued: 0, waiting: 0, inHand: 0, oldestMs: 0, done: 0, failed: 0 };
const stream = { stream: 'raw_file_received', connected: true, inHand: 0, done: 0, retried: 0, deadLettered: 0 };
const thread = {
  lanes: [lane],
  streams: [{ ...stream, lastError: long }],
  services: [{ service: 'octopoes', circuit: 'open', openSince: null, inFlight: 0, lastError: long }],
  heapBytes: 1,
  loopDelay: { p99Ms: 1 },
  logLevel: 'info',
} as unknown as ThreadStatus;
const actor = { name: 'boefje', phase: 'running', restarts: 1, retryAt: null };
const lastFailure = { code: 'BROKEN', message: long, fields: { organisation: long } };
const waiting = {
  source: 'rabbitmq:raw_file_received',
  stream: 'raw_file_received',
  waiting: null,
  retrying: null,
  dead: null,
};

const ports = {
  instance: 'one',
  version: '0.1.0',
  startedAt: new Date(0),
  supervision: {
    status: () => Array.from({ length: 10 }, () => ({ ...actor, lastFailure })),
    inspect: async () => ({ outcome: 'reply', result: { ok: true, value: thread } }),
  },
  schedulerIds: ['boefje'],
  inspection: { overview: () => Promise.reject(new Error(long)) },
  now: () => 0,
  scheduleStore: { scheduleLag: async () => 0 },
  rates: { of: () => ({ in_per_second: 0, out_per_second: 0 }) },
  backlog: { look: async () => [{ ...waiting, error: long, full: long }] },
  loopDelay: () => ({ p99Ms: 1 }),
  parked: () => new Map(),
} as unknown as SupervisorPorts;

test('the status of a supervisor is short, whatever its actors, services, broker and database failed with', async () => {
  const { status } = supervisorCommands(ports);
  const text = JSON.stringify(await status.run({ max_age_seconds: 0 }, { by: null, access: 'read' }));
  expect(text.length).toBeLessThan(30_000);
  // Half a character is written as an escape.
  expect(text).not.toMatch(/\\ud[89a-f]/i);
  expect(JSON.parse(text)).toMatchObject({
    actors: [{ last_failure: { code: 'BROKEN' } }, ...Array.from({ length: 9 }, () => ({}))],
  });
});
