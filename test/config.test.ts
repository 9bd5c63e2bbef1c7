import { expect, test } from 'vitest';
import { readConfig, startWithinSeconds } from '../src/config.ts';

test('the defaults are those of mula', () => {
  expect(readConfig({})).toMatchObject({
    SCHEDULER_API_PORT: 8000,
    SCHEDULER_PQ_GRACE_PERIOD: 86_400,
    SCHEDULER_PQ_MAXSIZE: 0,
    SCHEDULER_RABBITMQ_PREFETCH_COUNT: 100,
    SCHEDULER_DB_CONNECTION_POOL_SIZE: 25,
    SCHEDULER_EVENTS: 'amqp',
  });
});

test('older names of the database and the broker are read; the newer ones win', () => {
  const config = readConfig({ SCHEDULER_DB_DSN: 'postgres://a/b', SCHEDULER_RABBITMQ_DSN: 'amqp://c' });
  expect(config).toMatchObject({ SCHEDULER_DB_URI: 'postgres://a/b', QUEUE_URI: 'amqp://c' });
  expect(readConfig({ SCHEDULER_DB_DSN: 'postgres://a/b', SCHEDULER_DB_URI: 'postgres://d/e' }).SCHEDULER_DB_URI).toBe(
    'postgres://d/e',
  );
});

test('a ranker is chosen per scheduler', () => {
  expect(readConfig({ SCHEDULER_BOEFJE_RANKER: 'fair-share' }).rankers).toEqual({ boefje: 'fair-share' });
});

test('a wrong variable is named with its value and what was expected, exit 78', () => {
  expect(() => readConfig({ SCHEDULER_API_PORT: 'eighty' })).toThrow(/SCHEDULER_API_PORT="eighty": expected .*number/);
  try {
    readConfig({ SCHEDULER_API_PORT: 'eighty', SCHEDULER_EVENTS: 'kafka' });
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({
      code: 'BAD_CONFIG',
      fields: { variables: ['SCHEDULER_EVENTS', 'SCHEDULER_API_PORT'] },
    });
  }
});

test('a secret in a wrong variable never reaches the message', () => {
  try {
    readConfig({ SCHEDULER_DB_URI: 'mysql://root:hunter2@host/db' });
    expect.unreachable();
  } catch (error) {
    expect((error as Error).message).toContain('SCHEDULER_DB_URI=<redacted>: expected a URL with postgres:');
    expect((error as Error).message).not.toContain('hunter2');
  }
  expect(() => readConfig({ KATALOGUS_API: 'ftp://kat:hunter2@host' })).toThrow(/^((?!hunter2)[^])*$/);
});

test.each([
  [{}, 3_600],
  [{ SCHEDULER_START_WITHIN_SECONDS: '60' }, 60],
  [{ SCHEDULER_START_WITHIN_SECONDS: '0' }, 86_400],
  [{ SCHEDULER_START_WITHIN_SECONDS: '90000' }, 86_400],
  [{ SCHEDULER_PQ_GRACE_PERIOD: '600' }, 600],
])('a runner over REST begins within an hour, or as it is told, or within the grace period: %o', (env, seconds) => {
  expect(startWithinSeconds(readConfig(env))).toBe(seconds);
});
