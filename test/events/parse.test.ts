import { describe, expect, test } from 'vitest';
import { parseEvent } from '../../src/events/parse.ts';
import type { EventStream } from '../../src/protocol/scheduler.ts';

const parse = (stream: EventStream, message: unknown) => parseEvent(stream, Buffer.from(JSON.stringify(message)));

const profile = { scan_profile_type: 'declared', reference: 'Hostname|internet|mispo.es', level: 2, user_id: null };
const mutation = {
  operation: 'create',
  primary_key: 'Hostname|internet|mispo.es',
  value: { primary_key: 'Hostname|internet|mispo.es', object_type: 'Hostname', scan_profile: profile },
  client_id: 'aa',
};

const rawFile = {
  event_id: 'raw_file_received',
  created_at: '2025-05-27T09:00:16.400000Z',
  organization: 'aa',
  raw_data: {
    id: '5a4d1f3e-2f0b-4d3c-9a53-0c9e0f5a7b11',
    boefje_meta: {
      id: '0e191e18-bc77-405f-8887-80f510304021',
      started_at: '2025-05-27T09:00:15.5Z',
      ended_at: '2025-05-27T09:00:16.3Z',
      boefje: { id: 'dns-records', version: null },
      input_ooi: 'Hostname|internet|mispo.es',
      arguments: { input: { name: 'mispo.es' }, oci_image: '…' },
      organization: 'aa',
      runnable_hash: 'c0ffee',
      environment: { REMOTE_NS: '1.1.1.1', API_KEY: 's3cret' },
    },
    mime_types: [{ value: 'boefje/dns-records' }],
    secure_hash: null,
    signing_provider_url: null,
    hash_retrieval_link: null,
  },
};

describe('a scan profile mutation', () => {
  test('says which object of which organisation has which level now', () => {
    expect(parse('scan_profile_mutations', mutation)).toEqual({
      kind: 'scan-profile-mutated',
      operation: 'create',
      organisation: 'aa',
      primaryKey: 'Hostname|internet|mispo.es',
      objectType: 'Hostname',
      scanLevel: 2,
    });
  });

  test('of a deleted object has neither type nor level', () => {
    const deleted = { operation: 'delete', primary_key: 'Hostname|internet|mispo.es', value: null, client_id: 'aa' };
    expect(parse('scan_profile_mutations', deleted)).toMatchObject({
      operation: 'delete',
      objectType: null,
      scanLevel: null,
    });
  });

  test.for([null, undefined])('of an object without a scan profile (%s) has no level', (scan_profile) => {
    const without = { ...mutation, value: { ...mutation.value, scan_profile } };
    expect(parse('scan_profile_mutations', without)).toMatchObject({ objectType: 'Hostname', scanLevel: null });
  });

  test.for([
    ['operation', { ...mutation, operation: 'upsert' }],
    ['client_id', { ...mutation, client_id: undefined }],
    ['primary_key', { ...mutation, primary_key: '' }],
    ['value.scan_profile.level', { ...mutation, value: { ...mutation.value, scan_profile: { ...profile, level: 9 } } }],
    ['(the whole)', ['mutation']],
  ] as const)('with a wrong %s is refused by that name', ([field, message]) => {
    expect(() => parse('scan_profile_mutations', message)).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST', retryable: false, message: expect.stringContaining(field) }),
    );
  });
});

describe('a raw file', () => {
  test('keeps what a normalizer task needs, and nothing that may be secret', () => {
    const event = parse('raw_file_received', rawFile);
    expect(event).toMatchObject({
      kind: 'raw-file-received',
      organisation: 'aa',
      createdAt: Date.parse('2025-05-27T09:00:16.400Z'),
      size: null,
      rawData: {
        id: '5a4d1f3e-2f0b-4d3c-9a53-0c9e0f5a7b11',
        boefje_meta: { boefje: { id: 'dns-records' }, arguments: { input: { name: 'mispo.es' } }, organization: 'aa' },
        mime_types: [{ value: 'boefje/dns-records' }],
      },
    });
    expect(JSON.stringify(event)).not.toMatch(/environment|s3cret|runnable_hash|c0ffee/);
  });

  test('without a time zone came in UTC', () => {
    const naive = { ...rawFile, created_at: '2025-05-27T09:00:16.400000' };
    expect(parse('raw_file_received', naive)).toMatchObject({ createdAt: Date.parse('2025-05-27T09:00:16.400Z') });
  });

  test('has its size where Bytes gives it', () => {
    const empty = { ...rawFile, raw_data: { ...rawFile.raw_data, size: 0 } };
    expect(parse('raw_file_received', empty)).toMatchObject({ size: 0 });
  });

  test('with a wrong timestamp is refused by that name', () => {
    expect(() => parse('raw_file_received', { ...rawFile, created_at: 'yesterday' })).toThrow(/created_at/);
  });
});

test('bytes that are no UTF-8 or no JSON are refused', () => {
  expect(() => parseEvent('raw_file_received', Buffer.from([0xff, 0xfe]))).toThrow(/not JSON/);
  expect(() => parseEvent('scan_profile_mutations', Buffer.from('{'))).toThrow(/not JSON/);
});

test.for(['\0', '\ud800'])('a string that Postgres cannot store (%j) is malformed, wherever it is', (text) => {
  expect(() => parse('scan_profile_mutations', { ...mutation, primary_key: `Hostname|${text}` })).toThrow(/malformed/);
  const boefje_meta = { ...rawFile.raw_data.boefje_meta, arguments: { input: { [text]: 1 } } };
  const message = { ...rawFile, raw_data: { ...rawFile.raw_data, boefje_meta } };
  expect(() => parse('raw_file_received', message)).toThrow(/malformed/);
});

test('bodies that nest deep, or have very many values, are refused before they are parsed', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  for (const levels of [501, 5_000, 100_000]) {
    const text = `{"raw_data":{"boefje_meta":{"arguments":${'['.repeat(levels)}${']'.repeat(levels)}}}}`;
    expect(() => parseEvent('raw_file_received', bytes(text))).toThrow(/nests deeper than 500 levels/);
  }
  const many = `{"a":[${'0,'.repeat(100_001)}0]}`;
  expect(() => parseEvent('scan_profile_mutations', bytes(many))).toThrow(/more than 100000 values/);
});
