import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Sql } from '../../src/postgres/pool.ts';
import { readCatalog } from '../../src/supervisor/catalog.ts';
import { readSnapshot } from '../../src/simulator/what-if/read-snapshot.ts';
import { type WhatIfReport, whatIf } from '../../src/simulator/what-if/report.ts';
import type { RunOptions } from '../../src/simulator/what-if/run.ts';
import type { Snapshot } from '../../src/simulator/what-if/snapshot.ts';
import { standingOf } from '../../src/simulator/what-if/standing.ts';
import { changedStanding, type GivenChanges } from '../../src/cli/what-if-changes.ts';
import { runCli } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { boefjeTask, popRequest, queueUnderTest } from '../support/queue.ts';
import { age, history, stageOfTwo } from '../support/what-if-stage.ts';

vi.setConfig({ testTimeout: 60_000 });

const catalog = await readCatalog();
const schedulers = catalog.actors.map(({ name }) => name);
const options: RunOptions = {
  days: 1,
  seed: 1,
  catalog,
  rankers: {},
  settings: { gracePeriodSeconds: 86_400, jitterSeconds: 0, maxSize: 0 },
};

const snapshotOf = (url: string) => readSnapshot(url, { days: 1, schedulers, wantsOois: true });

async function twoOrganisations() {
  const stage = await stageOfTwo();
  return { ...stage, snapshot: await snapshotOf(stage.url) };
}

/** What is predicted of a snapshot, with changes where some are given. */
async function predict(snapshot: Snapshot, given: GivenChanges = {}, more: Partial<RunOptions> = {}) {
  const isChanged = Object.keys(given).length > 0;
  const changed = isChanged ? await changedStanding(snapshot, standingOf(snapshot), given) : null;
  return whatIf(snapshot, changed, { ...options, ...more });
}

function queueOf({ queues }: WhatIfReport, scheduler: string, organisation: string | null) {
  return queues.find((it) => it.scheduler === scheduler && it.organisation === organisation)!;
}

/** All that is in the database, as one hash. */
async function contents(sql: Sql): Promise<string> {
  const tables = await sql.unsafe<{ name: string }[]>(
    `SELECT relname AS name FROM pg_stat_user_tables ORDER BY relname`,
  );
  const hash = createHash('sha256');
  for (const { name } of tables) {
    const [row] = await sql.unsafe<{ text: string }[]>(
      `SELECT coalesce(string_agg(t::text || xmin::text, E'\\n' ORDER BY t::text), '') AS text FROM ${name} t`,
    );
    hash.update(`${name}\n${row!.text}\n`);
  }
  return hash.digest('hex');
}

test('one worker and tasks of a minute each: a queue of n takes n minutes', async () => {
  const { queue, sql, url } = await queueUnderTest();
  await history(sql, { seconds: 60 });
  await queue.push(
    'boefje',
    Array.from({ length: 40 }, () => boefjeTask()),
  );
  await age(sql);
  const report = await predict(await snapshotOf(url));
  expect(report.schedulers['boefje']).toMatchObject({ queued: 40, workers: { seen: 1 }, seconds_a_task: 60 });
  const { as_it_is: outcome } = queueOf(report, 'boefje', 'aa');
  // The last of them is handed out when 39 have been worked on.
  expect(outcome).toMatchObject({ now: 40, most: 40, worked_off_seconds: 39 * 60 });
  expect(outcome.depth.slice(0, 4)).toEqual([40, 25, 10, 0]);
});

test('the snapshot is what the database has: queue, hands, schedules, pauses, weights, limits, history', async () => {
  const { queue, sql, url } = await queueUnderTest();
  await history(sql, { seconds: 30, count: 30 });
  const tasks = ['aa', 'bb'].flatMap((organisation) =>
    Array.from({ length: 3 }, (_none, n) =>
      boefjeTask(`Hostname|internet|${organisation}${n}.example`, { organisation }),
    ),
  );
  await queue.push('boefje', tasks);
  const [claimed] = await queue.pop('boefje', popRequest());
  await sql.unsafe(`INSERT INTO pauses (scheduler, organisation) VALUES ('boefje', 'bb')`);
  await sql.unsafe(`INSERT INTO fairness (scheduler, organisation, weight) VALUES ('boefje', 'aa', 2)`);
  await sql.unsafe(
    `INSERT INTO limits (name, kind, plugin, template, concurrency, version) VALUES ('one', 'limit', 'nmap', 'all', 1, nextval('limit_versions'))`,
  );
  await sql.unsafe(`INSERT INTO limiters (key, tat) VALUES ('one/all', now() + interval '1 hour')`);
  await sql.unsafe(`UPDATE schedules SET schedule = '0 3 * * *' WHERE organisation = 'aa'`);
  await sql.unsafe(
    `UPDATE schedules SET interval_deadline = deadline_at, deadline_at = deadline_at - interval '23 hours'`,
  );
  await sql.unsafe(`UPDATE schedules SET interval_deadline = deadline_at WHERE organisation = 'bb'`);
  await sql.unsafe(
    `INSERT INTO seen_boefjes (organisation, boefjes, recurrences) VALUES ('bb', '{dns-records}', '{"dns-records": "interval 720"}')`,
  );
  await sql.unsafe(`UPDATE schedules SET enabled = false WHERE data ->> 'input_ooi' LIKE '%bb2%'`);

  const snapshot = await snapshotOf(url);
  const [boefje] = snapshot.schedulers;
  expect(boefje).toMatchObject({ name: 'boefje', atOnce: { lately: 1, day: 1 } });
  expect(boefje!.queued.map(({ hash }) => hash).toSorted()).toEqual(
    (await sql<{ hash: string }[]>`SELECT hash FROM queue ORDER BY hash`).map(({ hash }) => hash),
  );
  expect(boefje!.queued[0]).toMatchObject({ plugin: 'dns-records', image: 'img:a', group: null });
  expect(boefje!.queued[0]!.ooi).toMatch(/^Hostname\|internet\|/);
  expect(snapshot.leases).toMatchObject([{ scheduler: 'boefje', startedAt: null, manual: false }]);
  expect(snapshot.leases[0]!.hash).toBe((JSON.parse(claimed!.task) as { hash: string }).hash);
  expect(boefje!.schedules).toHaveLength(5);
  const cron = { cron: '0 3 * * *', intervalMs: null };
  const interval = { cron: null, intervalMs: 720 * 60_000 };
  for (const schedule of boefje!.schedules)
    expect(schedule).toMatchObject(schedule.organisation === 'aa' ? cron : interval);
  expect(snapshot.pauses).toEqual([{ scheduler: 'boefje', organisation: 'bb', plugin: null }]);
  expect(snapshot.weights).toEqual([{ scheduler: 'boefje', organisation: 'aa', weight: 2 }]);
  expect(snapshot.limits).toMatchObject([{ name: 'one', plugin: 'nmap', concurrency: 1 }]);
  expect([...snapshot.limitArrivals.keys()]).toEqual(['one/all']);
  expect(boefje!.service.get('dns-records')).toMatchObject({ ended: 30, completed: 30 });
  expect(boefje!.serviceOfAll!.quantiles).toEqual(Array.from({ length: 21 }, () => 30));
  expect(boefje!.arrivals).toMatchObject([{ organisation: 'aa' }, { organisation: 'bb' }]);
  expect(snapshot.cut).toEqual([]);
});

test('what completes leads to tasks of normalizers, as many as it did', async () => {
  const { queue, sql, url } = await queueUnderTest();
  await history(sql, { seconds: 60, count: 30 });
  await sql.unsafe(
    `INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status)
     SELECT gen_random_uuid(), 'normalizer', 'before', 'normalizer', md5('n' || n), 2, jsonb_build_object(
       'normalizer', jsonb_build_object('id', 'dns-normalize'),
       'raw_data', jsonb_build_object('boefje_meta', jsonb_build_object('boefje', jsonb_build_object('id', 'dns-records')))), 'COMPLETED'
     FROM generate_series(1, 60) n`,
  );
  await queue.push(
    'boefje',
    Array.from({ length: 40 }, () => boefjeTask()),
  );
  await age(sql);
  const snapshot = await snapshotOf(url);
  expect(snapshot.follows.get('dns-records')).toEqual(new Map([['dns-normalize', 2]]));
  // No worker of theirs was seen.
  const { as_it_is: outcome } = queueOf(await predict(snapshot), 'normalizer', 'aa');
  expect(outcome).toMatchObject({ now: 0, end: 80, handed_out: 0 });
});

test('a pause holds its organisation, and the others are done sooner', async () => {
  const { snapshot } = await twoOrganisations();
  // Those of aa were pushed first.
  const report = await predict(snapshot, { pause: ['boefje --organisation aa'] });
  const [aa, bb] = ['aa', 'bb'].map((organisation) => queueOf(report, 'boefje', organisation));
  expect(bb!.as_it_is).toMatchObject({ now: 30, handed_out: 30, worked_off_seconds: 59 * 60 });
  expect(bb!.with_change).toMatchObject({ now: 30, handed_out: 30, worked_off_seconds: 29 * 60 });
  expect(aa!.as_it_is.worked_off_seconds).toBe(29 * 60);
  expect(aa!.with_change).toMatchObject({ now: 30, most: 30, end: 30, handed_out: 0, worked_off_seconds: null });
  expect(aa!.with_change!.wait.p50!.is_least).toBe(true);
});

test('more workers shorten the wait, a limit lengthens it, and what stands counts', async () => {
  const { sql, url, snapshot } = await twoOrganisations();
  const workedOff = async (given: GivenChanges, of = snapshot) => {
    const { with_change: outcome } = queueOf(await predict(of, given), 'boefje', null);
    return outcome!.worked_off_seconds;
  };
  expect(await workedOff({ workers: ['boefje 1'] })).toBe(59 * 60);
  expect(await workedOff({ workers: ['boefje 4'] })).toBe(14 * 60);
  // Thirty of them, one each five minutes; the others go meanwhile.
  const limit = 'slow --boefje nmap --rate 1/5m';
  expect(await workedOff({ limit: [limit] })).toBeGreaterThanOrEqual(29 * 300);
  expect(await workedOff({ limit: [limit], workers: ['boefje 8'] })).toBeGreaterThanOrEqual(29 * 300);
  await sql.unsafe(
    `INSERT INTO limits (name, kind, plugin, template, concurrency, spacing, version)
     VALUES ('slow', 'limit', 'nmap', 'all', NULL, interval '5 minutes', nextval('limit_versions'))`,
  );
  const limited = await snapshotOf(url);
  const { as_it_is: outcome } = queueOf(await predict(limited), 'boefje', null);
  expect(outcome.worked_off_seconds).toBeGreaterThanOrEqual(29 * 300);
  expect(await workedOff({ withoutLimit: ['slow'] }, limited)).toBe(59 * 60);
  // Held until it opens.
  const window = 'later --closed-from 2020-01-01T00:00 --until 2999-01-01T00:00';
  expect(await workedOff({ window: [window] })).toBeNull();
});

test('a weight says how turns are taken of what comes', async () => {
  const { sql, url } = await twoOrganisations();
  // When the queue is worked off, all fall due at once.
  await sql.unsafe(`UPDATE schedules SET deadline_at = now() + interval '2 hours'`);
  const report = await predict(await snapshotOf(url), { weight: ['boefje aa 2'] });
  const medianOf = (organisation: string) => {
    const { as_it_is: before, with_change: after } = queueOf(report, 'boefje', organisation);
    for (const outcome of [before, after!]) expect(outcome).toMatchObject({ now: 30, end: 0, handed_out: 60 });
    // The other half have waited for two days, and their ranks stay.
    return { before: before.wait.p50!.seconds / 60, after: after!.wait.p50!.seconds / 60 };
  };
  const [aa, bb] = [medianOf('aa'), medianOf('bb')];
  expect(aa.before).toBeGreaterThan(55);
  // Two of each three turns are theirs: 44 go before the last of them.
  expect(aa.after).toBeGreaterThan(42);
  expect(aa.after).toBeLessThan(47);
  expect(bb.after).toBeGreaterThan(55);
});

test('a pause that stands may end: what it held is counted once', async () => {
  const { sql, url } = await twoOrganisations();
  await sql.unsafe(`INSERT INTO pauses (scheduler, organisation) VALUES ('boefje', 'bb')`);
  await sql.unsafe(`UPDATE queue SET held = true WHERE organisation = 'bb'`);
  const report = await predict(await snapshotOf(url), { resume: ['boefje --organisation bb'] });
  expect(queueOf(report, 'boefje', 'bb')).toMatchObject({
    as_it_is: { now: 30, most: 30, end: 30, handed_out: 0, worked_off_seconds: null },
    with_change: { now: 30, most: 30, end: 0, handed_out: 30 },
  });
  expect(queueOf(report, 'boefje', null)).toMatchObject({ with_change: { now: 60, most: 60, end: 0 } });
});

test('nothing is written', async () => {
  const { sql, snapshot, url } = await twoOrganisations();
  const before = await contents(sql);
  await snapshotOf(url);
  await predict(snapshot, { workers: ['boefje 2'] });
  expect(await contents(sql)).toBe(before);
});

test('reading takes no longer than it may, although no statement took as long as it may', async () => {
  const { sql, url } = await twoOrganisations();
  const bounds = { seconds: 2 };
  const reading = () => readSnapshot(url, { days: 1, schedulers, wantsOois: false, bounds });
  expect(await reading()).toMatchObject({ cut: [] });
  const locked = Promise.withResolvers<null>();
  const read = Promise.withResolvers<null>();
  const locking = sql.begin(async (other) => {
    await other.unsafe('LOCK TABLE tasks');
    locked.resolve(null);
    await read.promise;
  });
  await locked.promise;
  const began = performance.now();
  await expect(reading().finally(() => read.resolve(null))).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  expect(performance.now() - began).toBeLessThan(8_000);
  await locking;
});

test('the command prints a table, JSON and a plot, and shows no password', async () => {
  const { url } = await twoOrganisations();
  const directory = await mkdtemp(join(tmpdir(), 'rota-what-if-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const plot = join(directory, 'later.svg');
  const args = ['simulate', '--from-database', url, '--days', '1', '--pause', 'boefje --organisation bb'];
  const table = await runCli([...args, '--plot', plot]);
  expect(table, table.stderr).toMatchObject({ code: 0, stderr: '' });
  expect(table.stdout).toMatch(
    /boefje: 60 queued, 0 in hand, .*, 1 worked on at once, 60 s each \(median of 30\), fair-share/,
  );
  expect(table.stdout).toMatch(/boefje +bb +30 +30 +0 → 30 .*59m 0s → not in 1d/);
  expect(await readFile(plot, 'utf8')).toContain('bb, with the change');
  // The URL is that of the environment.
  const json = await runCli(['simulate', '--from-database', '--json'], { env: { SCHEDULER_DB_URI: url } });
  const report = JSON.parse(json.stdout) as WhatIfReport;
  expect(report).toMatchObject({ days: 2, seed: 1, schedulers: { boefje: { queued: 60 } }, cut: [] });
  expect(queueOf(report, 'boefje', 'aa')).toMatchObject({ as_it_is: { now: 30 }, with_change: null });
  expect(queueOf(report, 'boefje', 'aa').as_it_is.depth).toHaveLength(report.points.length);

  const wrong = async (given: readonly string[]) => {
    const { code, stderr } = await runCli(['simulate', ...given]);
    expect(stderr).not.toContain('s3cret');
    return `${code} ${stderr.trim()}`;
  };
  expect(await wrong(['--from-database', url, '--pause', 'boefje --organization bb'])).toBe(
    `64 rota: --pause "boefje --organization bb": unknown option '--organization' (Did you mean --organisation?)`,
  );
  expect(await wrong(['--pause', 'boefje'])).toBe('64 rota: --pause goes with --from-database');
  expect(await wrong(['--from-database', url, '--faults', 'all'])).toBe(
    '64 rota: --faults is for a KAT that is simulated, not for --from-database',
  );
  expect(await wrong(['--from-database', url, '--plot', join(directory, 'none', 'x.svg')])).toMatch(
    /^64 rota: --plot .*: cannot be written \(ENOENT\)$/,
  );
  // A full disk is seen at the end: the answer is there.
  expect(await wrong(['--from-database', url, '--plot', '/dev/full'])).toMatch(
    /^64 rota: --plot \/dev\/full: cannot be written \(ENOSPC\)$/,
  );
  const full = await runCli([...args, '--plot', '/dev/full']);
  expect(full.stdout).toMatch(/boefje +bb +30 +30/);
  const away = new URL(url);
  [away.password, away.port] = ['s3cret', '1'];
  expect(await wrong(['--from-database', away.href])).toMatch(/^75 rota: /);
  expect(await wrong(['--from-database', 'mysql://rota:s3cret@db/rota'])).toMatch(
    /^64 rota: --from-database cannot be used \(expected postgresql:/,
  );
  const unknown = new URL(url);
  [unknown.username, unknown.password] = ['none', 's3cret'];
  for (const database of [unknown.href, away.href]) {
    const said = await wrong(['--from-database', database]);
    expect(said).toContain('--from-database');
    expect(said).not.toContain('SCHEDULER_DB_URI');
  }
});

test('the command reads OOIs where a window asks for them, although nothing in the database does', async () => {
  const { url } = await twoOrganisations();
  const window = 'later --ooi-type Hostname --closed-from 2020-01-01T00:00 --until 2999-01-01T00:00';
  const { stdout, stderr } = await runCli([
    'simulate',
    '--from-database',
    url,
    '--days',
    '1',
    '--json',
    '--window',
    window,
  ]);
  const { with_change: outcome } = queueOf(JSON.parse(stdout) as WhatIfReport, 'boefje', null);
  expect(outcome, stderr).toMatchObject({ end: 60, handed_out: 0 });
});

test('a database that is not of this version is refused, and an account that may only read is enough', async () => {
  const empty = await createDatabase();
  onTestFinished(() => empty.drop());
  await expect(snapshotOf(empty.url)).rejects.toMatchObject({
    code: 'SCHEMA_UNKNOWN',
    message: expect.stringMatching(/^the database is not migrated .*: no Rota runs on it$/),
  });
  const { sql, url } = await twoOrganisations();
  const role = `reader_${randomUUID().slice(0, 8)}`;
  await sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'reads'`);
  await sql.unsafe(`GRANT pg_read_all_data TO ${role}`);
  onTestFinished(async () => void (await sql.unsafe(`DROP ROLE ${role}`)));
  const reader = new URL(url);
  [reader.username, reader.password] = [role, 'reads'];
  const snapshot = await snapshotOf(reader.href);
  expect(snapshot.schedulers[0]!.queued).toHaveLength(60);
  await sql.unsafe(`DELETE FROM rota_migrations WHERE number = (SELECT max(number) FROM rota_migrations)`);
  await expect(snapshotOf(url)).rejects.toMatchObject({
    code: 'SCHEMA_UNKNOWN',
    message: expect.stringMatching(/^the database is not migrated .*: use the rota of the version that runs on it$/),
  });
  await sql.unsafe(`INSERT INTO rota_migrations (number, name) VALUES (9999, '9999_later')`);
  await expect(snapshotOf(url)).rejects.toMatchObject({
    code: 'SCHEMA_UNKNOWN',
    message: expect.stringMatching(/^the database was migrated to 9999 by a newer Rota/),
  });
});
