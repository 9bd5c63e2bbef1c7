import { expect, test } from 'vitest';
import { findingsOf, natsFinding, sourceFindings } from '../../src/control/doctor.ts';
import type { DatabaseDiagnosis } from '../../src/queue/schema/diagnosis.ts';

const sound: DatabaseDiagnosis = {
  version: '18.4',
  clockSkewMs: 3,
  roundTripMs: 1,
  sizeBytes: 1_048_576,
  invalidIndexes: [],
  coldIndexes: [],
  oldestTransactionSeconds: 1,
  deadQueueRows: 0,
  connections: 10,
  maxConnections: 100,
  missingMigrations: [],
  unknownMigrations: [],
  unreadableCrons: [],
};

test('a sound database gives no reason to do anything', () => {
  expect(findingsOf(sound).filter(({ advice }) => advice !== null)).toEqual([]);
});

test.each<[string, Partial<DatabaseDiagnosis>, string]>([
  ['a migration that is missing', { missingMigrations: ['0004_indexes'] }, 'run rota migrate'],
  ['a migration of a newer version', { unknownMigrations: ['0099_x'] }, 'a newer Rota migrated it: use that version'],
  ['clocks that are apart', { clockSkewMs: -20_000 }, 'let both use NTP'],
  ['an index whose building broke off', { invalidIndexes: ['tasks_hash'] }, 'REINDEX INDEX CONCURRENTLY each of them'],
  [
    'an index that ends HOT updates',
    { coldIndexes: ['x'] },
    'DROP INDEX CONCURRENTLY: claims and patches pay for it several times',
  ],
  [
    'a transaction that was left open',
    { oldestTransactionSeconds: 7_200 },
    'end it (pg_stat_activity, xact_start): vacuum cannot clean behind it',
  ],
  [
    'connections that run out',
    { connections: 90 },
    'raise max_connections, or lower SCHEDULER_DB_CONNECTION_POOL_SIZE',
  ],
  [
    'crons that cannot run',
    { unreadableCrons: [{ boefje: 'dns', cron: 'R 0 * * *', schedules: 2 }] },
    "mend the cron of the boefje in Katalogus (docs/crons.md); where it is the schedule's own: rota schedules set-cron",
  ],
])('%s comes with what to do', (_what, difference, advice) => {
  const told = findingsOf({ ...sound, ...difference }).filter((finding) => finding.advice !== null);
  expect(told.map((finding) => finding.advice)).toEqual([advice]);
  expect(told[0]!.level).not.toBe('fine');
});

test('crons that cannot run are counted, and a few of them named', () => {
  const crons = ['a', 'b', 'c', 'd', 'e'].map((boefje, index) => ({ boefje, cron: 'R * * * *', schedules: 5 - index }));
  const findingOf = (unreadableCrons: DatabaseDiagnosis['unreadableCrons']) =>
    findingsOf({ ...sound, unreadableCrons }).find(({ about }) => about === 'crons')?.finding;
  expect(findingOf(crons)).toBe(
    "15 schedules wait for a cron that can run: a 'R * * * *' (5), b 'R * * * *' (4), c 'R * * * *' (3), 2 more",
  );
  expect(findingOf([{ boefje: 'a', cron: null, schedules: 1 }])).toBe(
    '1 schedule waits for a cron that can run: a (1)',
  );
  expect(findingOf([])).toBeUndefined();
});

test('a broker that does not answer is a problem, events that were given up are a warning, and say what to do', () => {
  const about = { stream: 'raw_file_received', waiting: 12, retrying: 0, dead: 0, error: null, full: null } as const;
  const source = 'rabbitmq:raw_file_received';
  expect(sourceFindings([{ ...about, source }])).toMatchObject([{ level: 'fine', finding: `${source}: 12 wait` }]);
  expect(sourceFindings([{ ...about, source, dead: 3 }])).toMatchObject([
    { level: 'warning', finding: `${source}: 3 given up`, advice: expect.stringContaining('rota dead list') },
  ]);
  const full = 'stream ROTA_KAT_DEAD holds 9 of at most 10 messages';
  expect(sourceFindings([{ ...about, source, full }])).toMatchObject([
    { level: 'problem', finding: `${source}: ${full}`, advice: expect.stringContaining('raise its limits') },
  ]);
  const down = { ...about, source, waiting: null, retrying: null, dead: null, error: 'RabbitMQ: refused' };
  expect(sourceFindings([down])).toMatchObject([{ level: 'problem', finding: `${source}: RabbitMQ: refused` }]);
});

test.each([
  ['2.9.10', 'warning'],
  ['2.10.29', 'warning'],
  ['2.11.0', 'fine'],
  ['2.14.1', 'fine'],
  ['3.0.0', 'fine'],
  [null, 'problem'],
] as const)('nats-server %s is %s: an older one does not notice a dead link under traffic', (version, level) => {
  expect(natsFinding(version).level).toBe(level);
});
