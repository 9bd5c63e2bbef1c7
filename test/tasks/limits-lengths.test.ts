import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { supervisorCommands } from '../../src/control/supervisor.ts';
import { createIntake } from '../../src/events/intake.ts';
import { parseEvent } from '../../src/events/parse.ts';
import type { NewTask } from '../../src/protocol/requests.ts';
import { queueItem } from '../../src/queue/push/push-statement.ts';
import { isLongerThan, lengths } from '../../src/tasks/limits.ts';

const uuid = '5a4d1f3e-2f0b-4d3c-9a53-0c9e0f5a7b11';
const mutation = {
  operation: 'create',
  primary_key: 'Hostname|internet|a.nl',
  value: { object_type: 'Hostname', scan_profile: { level: 2 } },
  client_id: 'aa',
};
const rawFile = {
  created_at: '2025-05-27T09:00:16.400000Z',
  organization: 'aa',
  raw_data: {
    id: uuid,
    boefje_meta: {
      id: uuid,
      boefje: { id: 'dns', version: null },
      input_ooi: 'Hostname|internet|a.nl',
      organization: 'aa',
    },
    mime_types: [{ value: 'boefje/dns' }],
  },
};

type Path = readonly (string | number)[];
const texts = [
  ['scan_profile_mutations', mutation, ['client_id'], lengths.organisation],
  ['scan_profile_mutations', mutation, ['primary_key'], lengths.ooi],
  ['scan_profile_mutations', mutation, ['value', 'object_type'], lengths.name],
  ['raw_file_received', rawFile, ['organization'], lengths.organisation],
  ['raw_file_received', rawFile, ['raw_data', 'boefje_meta', 'organization'], lengths.organisation],
  ['raw_file_received', rawFile, ['raw_data', 'boefje_meta', 'boefje', 'id'], lengths.name],
  ['raw_file_received', rawFile, ['raw_data', 'boefje_meta', 'input_ooi'], lengths.ooi],
  ['raw_file_received', rawFile, ['raw_data', 'mime_types', 0, 'value'], lengths.name],
] as const;

test.for(texts)('%s: a text that is too long is refused by its name, %#', ([stream, message, path, most]) => {
  const parse = (text: string) => parseEvent(stream, Buffer.from(JSON.stringify(changed(message, path, text))));
  expect(() => parse('x'.repeat(most))).not.toThrow();
  for (const text of ['x'.repeat(most + 1), '€'.repeat(Math.floor(most / 3) + 1), 'x'.repeat(1_000_000)]) {
    const fault = {
      code: 'INVALID_REQUEST',
      message: `malformed ${stream} message: ${path.join('.')}: at most ${most} bytes`,
    };
    expect(() => parse(text)).toThrow(expect.objectContaining(fault));
  }
});

test('an event of more than 1 MB is given up unread, with a reason, and is kept', async () => {
  const body = Buffer.from(JSON.stringify({ ...mutation, padding: 'x'.repeat(1_048_576) }));
  const fate: unknown[] = [];
  const told: unknown[] = [];
  const intake = createIntake({
    stream: 'scan_profile_mutations',
    handler: async () => ({ ok: true, value: null }),
    maxAttempts: 3,
    timing: { retryMs: [1], holdMs: [0, 0], longestHoldMs: 1, reconnectMs: [0, 0], ackWaitMs: 1 },
    tell: (event) => told.push(event),
    note: () => {},
  });
  await intake.receive({
    lane: 'main',
    body,
    attempts: 0,
    redelivered: false,
    countable: true,
    trace: '',
    gone: new AbortController().signal,
    acknowledge: async () => void fate.push('acknowledged'),
    move: async (to) => void fate.push(to),
  });
  const message = `malformed scan_profile_mutations message: ${body.length} bytes, expected 1048576 at most`;
  expect(fate).toMatchObject([{ to: 'dead', failure: { code: 'INVALID_REQUEST', message } }]);
  expect(told).toMatchObject([{ name: 'event.dead-lettered', message }]);
});

const boefjeTask = {
  organisation: 'aa',
  data: {
    id: null,
    boefje: { id: 'dns', name: null, version: null, oci_image: null },
    input_ooi: 'a',
    organization: 'aa',
    deduplication_key: null,
  },
};

test.for([
  ['organisation', ['organisation'], lengths.organisation],
  ['data.boefje.id', ['data', 'boefje', 'id'], lengths.name],
  ['data.boefje.name', ['data', 'boefje', 'name'], lengths.name],
  ['data.boefje.version', ['data', 'boefje', 'version'], lengths.name],
  ['data.boefje.oci_image', ['data', 'boefje', 'oci_image'], lengths.name],
  ['data.input_ooi', ['data', 'input_ooi'], lengths.ooi],
  ['data.organization', ['data', 'organization'], lengths.organisation],
  ['data.deduplication_key', ['data', 'deduplication_key'], lengths.name],
] as const)('in any push, of actors too, %s has a bound', ([, path, most]) => {
  const options = { type: 'boefje', gracePeriodSeconds: 1, jitterSeconds: 1 };
  for (const checked of [{}, { checked: true as const }]) {
    const item = (text: string) => queueItem({ ...(changed(boefjeTask, path, text) as NewTask), ...checked }, options);
    expect(() => item('x'.repeat(most))).not.toThrow();
    expect(() => item('x'.repeat(most + 1))).toThrow(/at most \d+ bytes/);
  }
});

test('a text is measured in bytes of UTF-8', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(100), (text, bytes) => {
      expect(isLongerThan(text, bytes)).toBe(Buffer.byteLength(text) > bytes);
    }),
  );
});

test('the answer to `rota status` is small, whatever has failed and whatever it said', async () => {
  const long = fc.nat(200_000).map((length) => '€'.repeat(length));
  const property = fc.asyncProperty(
    long,
    fc.constantFrom('actor', 'stream', 'service', 'database'),
    async (text, where) => {
      const of = (place: string) => (where === place ? text : null);
      const thread = {
        lanes: [],
        streams: [
          { stream: 's', connected: false, inHand: 0, done: 0, retried: 0, deadLettered: 0, lastError: of('stream') },
        ],
        services: [{ service: 's', circuit: 'open', openSince: 0, inFlight: 0, lastError: of('service') }],
        heapBytes: 1,
        loopDelay: { p99Ms: 1 },
        logLevel: 'info',
      };
      const lastFailure = { code: 'BROKEN', message: of('actor') ?? '' };
      const status = { name: 'boefje', phase: 'down', phaseSeconds: 1, restarts: 1, retryAt: null, lastFailure };
      const { status: command } = supervisorCommands({
        instance: 'one',
        version: '1',
        startedAt: new Date(0),
        supervision: {
          status: () => [status],
          inspect: async () => ({ outcome: 'reply', result: { ok: true, value: thread } }),
        },
        schedulerIds: ['boefje'],
        inspection: { overview: () => Promise.reject(new Error(of('database') ?? '')) },
        scheduleStore: { scheduleLag: async () => 0 },
        rates: { of: () => ({ in_per_second: 0, out_per_second: 0 }) },
        backlog: {
          look: async () => [{ source: 's', stream: 's', waiting: 0, retrying: 0, dead: 0, error: text, full: text }],
        },
        parked: () => new Map(),
        now: () => 0,
        loopDelay: () => ({ p99Ms: 1 }),
      } as unknown as Parameters<typeof supervisorCommands>[0]);
      const answer = JSON.stringify(await command.run({ max_age_seconds: 0 }, { by: null, access: 'read' }));
      expect(Buffer.byteLength(answer)).toBeLessThan(10_000);
    },
  );
  await fc.assert(property, { numRuns: 40 });
});

function changed(value: unknown, [first, ...rest]: Path, text: string): unknown {
  if (first === undefined) return text;
  const copy: unknown = Array.isArray(value) ? [...value] : { ...(value as object) };
  const members = copy as Record<string | number, unknown>;
  members[first] = changed(members[first], rest, text);
  return copy;
}
