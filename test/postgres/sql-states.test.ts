import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { type ErrorCode, errorCodes } from '../../src/errors.ts';
import { databaseError } from '../../src/postgres/sql-states.ts';
import { embeddedFile } from '../support/embedded.ts';

/** Every SQLSTATE that Postgres knows to be an error, from the table that its own headers are made of. */
const states = readFileSync(await embeddedFile('share/postgresql/errcodes.txt'), 'utf8')
  .split('\n')
  .flatMap((line) => /^([0-9A-Z]{5})\s+E\s/.exec(line)?.[1] ?? []);

/** The whole rule, written once more: classes and codes, the rest is "not now". */
function expected(state: string): ErrorCode {
  if (state === '23505') return 'CONFLICT';
  if (/^(21|22|23|54)/.test(state)) return 'BAD_REQUEST';
  if (['42P01', '42703', '42883', '3F000'].includes(state)) return 'SCHEMA_UNKNOWN';
  if (state.startsWith('42') && state !== '42501') return 'BROKEN';
  return 'DATABASE_UNAVAILABLE';
}

const thrown = (code: string, message = 'refused for user "rota"') => Object.assign(new Error(message), { code });

test('Postgres’ table is read whole', () => {
  expect(states.length).toBeGreaterThan(230);
  expect(states).toEqual(expect.arrayContaining(['25006', '42501', '58P03', 'XX002', '57P05']));
});

test.each(states)('SQLSTATE %s is what the caller must do about it', (state) => {
  const error = databaseError(thrown(state));
  expect(error.code).toBe(expected(state));
  expect(error.fields).toMatchObject({ sqlState: state });
  if (error.code !== 'DATABASE_UNAVAILABLE') return;
  expect(error.retryable).toBe(true);
  // One sentence that says what is wrong, with the code, and what to do; not the server's words, which name users.
  expect(error.message).toMatch(/^the database [^.]+: try again later, or .+/);
  expect(error.message).toContain(state);
  expect(error.message).not.toContain('"rota"');
});

test.each([
  ['a standby, or read-only for a while', '25006', /read-only.*primary/],
  ['a password that is rotated', '28P01', /login.*SCHEDULER_DB_URI/],
  ['a role that is locked out', '28000', /login/],
  ['a database that is being replaced', '3D000', /does not exist/],
  ['a grant that is missing', '42501', /privilege.*GRANT/],
  ['a full disk', '53100', /disk.*room/],
  ['no connection left', '53300', /connections.*max_connections/],
  ['a start or recovery', '57P03', /starting/],
  ['a statement that took too long', '57014', /longer/],
  ['damage', 'XX001', /internal/],
  ['a code of no version that we know', 'ZZ123', /cannot do it/],
])('%s says so', (_what, state, says) => {
  expect(databaseError(thrown(state)).message).toMatch(says);
});

/** What the sockets, the resolver and TLS of Node say. */
const networkCodes = [
  ...Object.keys(constants.errno),
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EAI_NODATA',
  'EAI_NONAME',
  'ESERVFAIL',
  'ETIMEOUT',
  'ENODATA',
  'EREFUSED',
  'ERR_SOCKET_CLOSED',
  'ERR_SOCKET_CLOSED_BEFORE_CONNECTION',
  'ERR_SOCKET_CONNECTION_TIMEOUT',
  'ERR_SOCKET_BAD_PORT',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_WRITE_AFTER_END',
  'ABORT_ERR',
  'ERR_OSSL_PEM_NO_START_LINE',
  'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ERR_TLS_CERT_ALTNAME_FORMAT',
  'ERR_TLS_HANDSHAKE_TIMEOUT',
  'ERR_TLS_INVALID_STATE',
  'ERR_TLS_RENEGOTIATION_DISABLED',
  'ERR_TLS_REQUIRED_SERVER_NAME',
  'ERR_TLS_SESSION_ATTACK',
  'ERR_TLS_DH_PARAM_SIZE',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
  'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_CHAIN_TOO_LONG',
  'INVALID_CA',
  'HOSTNAME_MISMATCH',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'CRL_HAS_EXPIRED',
  'UNABLE_TO_GET_CRL',
  // The driver's own.
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'CONNECT_TIMEOUT',
  'SASL_SIGNATURE_MISMATCH',
];

test.each(networkCodes)('%s is an outage', (code) => {
  for (const error of [thrown(code), Object.assign(new TypeError('so'), { code })]) {
    expect(databaseError(error)).toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
  }
});

test.each(['Connection terminated unexpectedly', 'timeout expired', 'The server does not support SSL connections'])(
  'what the other driver says without a code is an outage: %s',
  (message) => {
    expect(databaseError(new Error(message))).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  },
);

describe('a bug is distinguished from an outage', () => {
  const bugs: readonly unknown[] = [
    new TypeError("Cannot read properties of undefined (reading 'n')"),
    Object.assign(new TypeError('The "string" argument must be of type string'), { code: 'ERR_INVALID_ARG_TYPE' }),
    new RangeError('Invalid array length'),
    new ReferenceError('rows is not defined'),
    new Error('no outcome for item 3'),
    thrown('UNDEFINED_VALUE'),
    thrown('UNSAFE_TRANSACTION'),
    thrown('MAX_PARAMETERS_EXCEEDED'),
    'a string',
    null,
  ];
  test.each(bugs)('%s', (bug) => {
    expect(databaseError(bug)).toMatchObject({ code: 'BROKEN', retryable: false });
  });
});

test('a code of ours is kept, across threads too', () => {
  for (const code of Object.keys(errorCodes) as ErrorCode[]) {
    expect(databaseError(Object.assign(new Error('so'), { code })).code).toBe(code);
  }
});
