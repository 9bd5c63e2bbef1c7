import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { rawData, taskTypeOf } from '../../src/tasks/data.ts';
import { parseTimestamp, toEpochMs } from '../../src/tasks/lax.ts';
import { withoutSecrets } from '../../src/tasks/secrets.ts';

test('lessons 1: environment and runnable_hash of a raw file are dropped, never stored', () => {
  const parsed = taskTypeOf('normalizer').schema.parse({
    normalizer: { id: 'kat_dns_normalize' },
    raw_data: {
      id: '00000000-0000-0000-0000-000000000001',
      boefje_meta: {
        id: '00000000-0000-0000-0000-000000000002',
        boefje: { id: 'dns-records' },
        organization: 'aa',
        environment: { API_KEY: 'hunter2' },
        runnable_hash: 'abc',
      },
      mime_types: [{ value: 'boefje/dns-records' }],
    },
  });
  expect(JSON.stringify(parsed)).not.toContain('hunter2');
  expect(JSON.stringify(parsed)).not.toContain('runnable_hash');
});

test("Rocky's push body is accepted: data.type and null ids are normal, unknown keys are ignored", () => {
  const data = taskTypeOf('boefje').schema.parse({
    type: 'boefje',
    id: null,
    boefje: {
      id: 'dns-records',
      name: 'DNS records',
      version: null,
      oci_image: 'ghcr.io/minvws/openkat/generic:latest',
    },
    input_ooi: 'Hostname|internet|mispo.es',
    organization: 'aa',
    deduplication_key: null,
  });
  expect(data).not.toHaveProperty('type');
  expect(data).toMatchObject({ input_ooi: 'Hostname|internet|mispo.es', dispatches: [] });
});

test.each([
  ['boefje', { foo: 'bar' }],
  ['boefje', { boefje: { id: '' }, organization: 'aa' }],
  ['boefje', { id: 'not a uuid', boefje: { id: 'x' }, organization: 'aa' }],
  ['normalizer', { normalizer: { id: 'x' } }],
  ['report', { organisation_id: 'aa' }],
])('malformed data of a %s task is refused: %j', (type, data) => {
  expect(taskTypeOf(type).schema.safeParse(data).success).toBe(false);
});

/** Made by pydantic 2 (`model_dump_json` of a datetime), null for what it refuses: mula's models are its. */
const forms: readonly (readonly [string | number, string | null])[] = [
  ['2025-05-27T09:00:15.5Z', '2025-05-27T09:00:15.500000Z'],
  ['2025-05-27T09:00:15.000Z', '2025-05-27T09:00:15Z'],
  ['2025-05-27T09:00:15+00:00', '2025-05-27T09:00:15Z'],
  ['2025-05-27T09:00:15-00:00', '2025-05-27T09:00:15Z'],
  ['2025-05-27T09:00:15.5+02:00', '2025-05-27T09:00:15.500000+02:00'],
  ['2025-05-27T09:00:15+0200', '2025-05-27T09:00:15+02:00'],
  ['2025-05-27T09:00:15-05:30', '2025-05-27T09:00:15-05:30'],
  ['2025-05-27 09:00:15.123456', '2025-05-27T09:00:15.123456'],
  ['2025-05-27T09:00', '2025-05-27T09:00:00'],
  ['2025-05-27', '2025-05-27T00:00:00'],
  ['2025-05-27t09:00:15.9999999z', '2025-05-27T09:00:15.999999Z'],
  ['2025-05-27T09:00:15.1234567890Z', '2025-05-27T09:00:15.123456Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
  ['1748336415.5', '2025-05-27T09:00:15.500000Z'],
  [1_748_336_415, '2025-05-27T09:00:15Z'],
  [1_748_336_415.25, '2025-05-27T09:00:15.250000Z'],
  [1_748_336_415_500, '2025-05-27T09:00:15.500000Z'],
  ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00Z'],
  ['2025-00-15', null],
  ['2025-02-29', null],
  ['1900-02-29', null],
  ['2025-04-31', null],
  ['2025-05-27T24:00:00Z', null],
  ['2025-05-27T09:00:60Z', null],
  ['2025-05-27T9:00:15Z', null],
  ['1e9', null],
];

test.each(forms.filter(([given]) => typeof given === 'string'))(
  'and is the same moment as it is read: %s',
  (given, written) => {
    const moment = (text: string | number | null) => {
      const parsed = text === null ? null : parseTimestamp(String(text));
      return parsed && toEpochMs(parsed);
    };
    expect(moment(given)).toBe(moment(written));
  },
);

test.each(forms)('a time in data, %s, is written as mula’s models write it', (given, written) => {
  const meta = {
    id: '00000000-0000-0000-0000-000000020000',
    boefje: { id: 'dns' },
    organization: 'aa',
    ended_at: given,
  };
  const read = rawData.safeParse({ id: meta.id, boefje_meta: meta, mime_types: [] });
  expect(read.success ? read.data.boefje_meta.ended_at : null).toBe(written);
});

test('environment is dropped at any depth, runnable_hash and settings where a runner puts them, and nothing else', () => {
  const secret = fc.constantFrom('environment', 'runnable_hash', 'settings');
  const key = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'raw_data', 'boefje_meta', 'boefje', 'input'), secret);
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.constant(null),
      fc.array(tie('tree')),
      fc.array(fc.tuple(key, tie('tree'))).map(Object.fromEntries),
    ),
  }));
  /** Paths of all members, as JSON; a place in a list is a number. */
  const pathsIn = (value: unknown, at: readonly (string | number)[] = []): string[] =>
    typeof value !== 'object' || value === null
      ? []
      : Object.entries(value).flatMap(([name, member]) => {
          const path = [...at, Array.isArray(value) ? Number(name) : name];
          return [JSON.stringify(path), ...pathsIn(member, path)];
        });
  const hides = (path: readonly unknown[]): boolean =>
    path.some((name, at) => {
      if (name === 'environment') return true;
      const parts = path.slice(0, at).every((part) => ['raw_data', 'boefje_meta', 'boefje'].includes(String(part)));
      return (name === 'settings' || name === 'runnable_hash') && parts;
    });
  fc.assert(
    fc.property(fc.dictionary(key, tree), (given) => {
      const data = JSON.parse(JSON.stringify(given)) as Record<string, unknown>;
      const before = JSON.stringify(data);
      const expected = pathsIn(data).filter((path) => !hides(JSON.parse(path) as unknown[]));
      expect(pathsIn(withoutSecrets(data))).toEqual(expected);
      expect(JSON.stringify(data)).toBe(before);
    }),
  );
});

test('an OOI that a boefje was given keeps its settings: a Config has some', () => {
  const input = { object_type: 'Config', settings: { key: 'value' } };
  const meta = { arguments: { input, environment: { API_KEY: 'x' } }, settings: { API_KEY: 'x' }, runnable_hash: 'x' };
  const data = { raw_data: { boefje_meta: meta }, settings: {} };
  expect(withoutSecrets(data)).toEqual({ raw_data: { boefje_meta: { arguments: { input } } } });
});
