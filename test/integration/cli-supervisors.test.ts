import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Overview } from '../../src/control/overview.ts';
import type { EffectiveValue } from '../../src/config/config.ts';
import type { Finding } from '../../src/protocol/operator-status.ts';
import { connect } from '../../src/postgres/pool.ts';
import { type RotaAtHand, runCli, startRotaAtHand } from '../support/cli.ts';
import { schedule } from '../support/schedule-rows.ts';
import { boefjeTask } from '../support/wire.ts';

// Each command is a process of its own: a second or two on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

let hand: RotaAtHand;

beforeAll(async () => {
  hand = await startRotaAtHand({ BYTES_PASSWORD: 'nats://looks-like-a-url' });
});

afterAll(() => hand.stop());

test('an actor is listed, set to debug, and restarted while pops go on', async () => {
  await hand.client.push('boefje', boefjeTask('aa', 'Hostname|internet|a'));
  expect(await hand.json(['actors', 'log-level', 'boefje', 'debug'])).toMatchObject({ results: [{ level: 'debug' }] });
  const restarted = hand.json(['actors', 'restart', 'boefje']);
  expect(await hand.client.pop('boefje')).toHaveLength(1);
  expect(await restarted).toMatchObject({ results: [{ restarted: 'boefje' }] });
  await expect
    .poll(async () => (await hand.json<Overview['supervisors'][number]>(['actors', 'list'])).actors[0])
    .toMatchObject({ name: 'boefje', phase: 'running', restarts: 1, thread: { log_level: 'info' } });
});

test('a heap snapshot is written where it says', async () => {
  const { results } = await hand.json<{ results: { file: string }[] }>(['actors', 'heap', 'report', '--timeout', '60']);
  const [{ file }] = results as [{ file: string }];
  await access(file);
  await rm(file);
});

test('the configuration says where each value comes from, and shows no secret', async () => {
  const { values } = await hand.json<{ values: EffectiveValue[] }>(['config', '--all']);
  const of = (name: string) => values.find((value) => value.name === name);
  expect(of('SCHEDULER_PQ_GRACE_PERIOD')).toMatchObject({ value: '86400', from: 'default' });
  expect(of('BYTES_PASSWORD')).toMatchObject({ value: '<redacted>' });
  expect(of('SCHEDULER_DB_URI')!.value).toMatch(/^postgres:\/\/redacted/);
});

test('the doctor finds a sound place sound, and a half-applied migration not', async () => {
  const examine = async () => {
    const { code, stdout } = await hand.run(['doctor', '--json']);
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    return { code, findings, problems: findings.filter(({ level }) => level === 'problem') };
  };
  const sound = await examine();
  expect(sound).toMatchObject({ code: 0, problems: [] });
  expect(sound.findings.map(({ about }) => about)).toEqual(
    expect.arrayContaining(['configuration', 'nats', 'versions', 'database', 'schema', 'clock', 'indexes', 'disk']),
  );
  const sql = connect(hand.databaseUrl, { max: 1 });
  await sql`DELETE FROM rota_migrations WHERE name = '0004_indexes'`;
  await sql.end();
  expect(await examine()).toMatchObject({
    code: 1,
    problems: [{ about: 'schema', finding: 'not applied: 0004_indexes', advice: 'run rota migrate' }],
  });
});

test('schedules that wait for a cron that can run are listed with their reason, and the doctor counts and names them', async () => {
  const sql = connect(hand.databaseUrl, { max: 1 });
  const of = { organisation: 'unreadable', disabled: 'cron-unreadable' };
  const one = await schedule(sql, { ...of, boefje: 'nmap', cron: 'R 22-6 * * *' });
  await schedule(sql, { ...of, boefje: 'dns', cron: '1W * * * *' });
  await schedule(sql, { ...of, boefje: 'nmap', cron: 'R 22-6 * * *', ooi: 'Hostname|internet|b.nl' });
  await schedule(sql, { organisation: 'unreadable', boefje: 'nmap', disabled: 'person', cron: '0 0 * * *' });
  await sql.end();

  const listed = await hand.json<{ results: { disabled_reason: string }[] }>(['schedules', 'list', '--boefje', 'nmap']);
  const reasons = listed.results.map((it) => it.disabled_reason);
  expect(reasons.toSorted()).toEqual(['cron-unreadable', 'cron-unreadable', 'person']);
  const { stdout: table } = await hand.run(['schedules', 'list', '--organisation', 'unreadable', '--disabled']);
  expect(table).toMatch(new RegExp(`${one} +boefje +no \\(cron-unreadable\\) +unreadable +nmap +R 22-6`));

  const { stdout } = await hand.run(['doctor', '--json']);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  expect(findings.filter(({ about }) => about === 'crons')).toMatchObject([
    {
      level: 'warning',
      finding: "3 schedules wait for a cron that can run: nmap 'R 22-6 * * *' (2), dns '1W * * * *' (1)",
      advice: expect.stringContaining('Katalogus'),
    },
  ]);
});

test('without NATS the doctor still examines what is here, and says what to look at', async () => {
  const { code, stdout } = await runCli(['doctor', '--json', '--nats', 'nats://127.0.0.1:1']);
  expect(JSON.parse(stdout)).toMatchObject({
    findings: [
      { about: 'configuration' },
      { level: 'problem', about: 'nats', advice: expect.stringContaining('--nats') },
    ],
  });
  expect(code).toBe(1);
});

test('task events are followed, filtered by organisation', async () => {
  const args = ['events', '--scheduler', 'boefje', '--organisation', 'followed', '--count', '1'];
  const env = { ...process.env, NATS_URL: hand.rota.nats, SCHEDULER_NATS_PREFIX: hand.prefix };
  const child = spawn(process.execPath, [entry, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const line = once(createInterface({ input: child.stdout }), 'line');
  await once(child.stderr, 'data');
  await hand.client.push('boefje', boefjeTask('elsewhere', 'Hostname|internet|a'));
  const { id } = await hand.client.push('boefje', boefjeTask('followed', 'Hostname|internet|a'));
  expect(await line).toEqual([expect.stringMatching(new RegExp(`boefje  queued  followed  ${id}$`))]);
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('a supervisor in a test is not ended by a drain: it is not its process’s own', async () => {
  const { code, stderr } = await hand.run(['drain', '--yes']);
  expect(stderr).toContain("is not its process's own");
  expect(code).toBe(65);
});

test('a drain ends a supervisor as a signal would', async () => {
  const data = await mkdtemp(join(tmpdir(), 'rota-drain-'));
  const args = ['dev', '--data', data, '--api-port', '0', '--nats-port', '0', '--json'];
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'exit');
  const [ready] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { nats } = JSON.parse(ready) as { nats: string };
  const { code } = await runCli(['drain', '--yes', '--nats', nats, '--json']);
  expect(code).toBe(0);
  expect(await ended).toEqual([0, null]);
  await rm(data, { recursive: true, force: true });
});
