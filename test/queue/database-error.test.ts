import { expect, test } from 'vitest';
import { databaseError } from '../../src/queue/postgres.ts';

test.each([
  ['a password that is rotated', '28P01'],
  ['a role that is locked out', '28000'],
  ['a database that is being replaced', '3D000'],
])('%s while Rota runs is an outage that clients wait out, not a bug', (_what, code) => {
  const error = databaseError(Object.assign(new Error('refused for user "rota"'), { code }));
  expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
});
