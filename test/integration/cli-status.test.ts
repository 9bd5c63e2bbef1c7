import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import type { Overview } from '../../src/control/overview.ts';
import { type RotaAtHand, runCli, startRotaAtHand } from '../support/cli.ts';
import { boefjeTask } from '../support/wire.ts';

// Each command is a process of its own: a second or two on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let hand: RotaAtHand;

beforeAll(async () => {
  hand = await startRotaAtHand();
});

afterAll(() => hand.stop());

test('the status shows every supervisor with its actors, and each queue once', async () => {
  await hand.another();
  await hand.client.push('boefje', boefjeTask('aa', 'Hostname|internet|a'));
  const overview = await hand.json<Overview>(['status']);
  expect(overview.supervisors).toHaveLength(2);
  for (const { actors } of overview.supervisors) {
    expect(actors.map(({ name, phase }) => ({ name, phase }))).toEqual(
      ['boefje', 'normalizer', 'report'].map((name) => ({ name, phase: 'running' })),
    );
    expect(actors[0]!.thread).toMatchObject({ log_level: 'info', mailbox: { depth: expect.any(Number) } });
  }
  expect(overview.schedulers.map(({ id, queued, held }) => ({ id, queued, held }))).toEqual([
    { id: 'boefje', queued: 1, held: 0 },
    { id: 'normalizer', queued: 0, held: 0 },
    { id: 'report', queued: 0, held: 0 },
  ]);
  expect(overview.unanswered).toEqual([]);
});

test('into a pipe the live status is one frame, without colour and without cut words', async () => {
  const { code, stdout } = await hand.run(['top']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^boefje\s+1\s/m);
  expect(stdout).not.toContain('\u001b');
  expect(stdout).not.toContain('…');
});

test.for<[string, string[], number, string]>([
  ['a URL that is none', ['status', '--nats', 'foo:bar'], 64, 'expected a URL such as nats://host:4222'],
  [
    'a NATS that is not there',
    ['status', '--nats', 'nats://127.0.0.1:1'],
    75,
    'no NATS server answers at nats://127.0.0.1:1',
  ],
  [
    'a prefix without a supervisor',
    ['status', '--prefix', 'absent'],
    75,
    'no answer on absent.ctl.status, since nothing listens there',
  ],
  ['an unknown option', ['tasks', 'list', '--colour'], 64, "unknown option '--colour'"],
  ['an event that there is not', ['events', '--event', 'bogus'], 64, 'expected one of pending, queued, dispatched'],
  ['an unknown task', ['tasks', 'show', '0e191e18-bc77-405f-8887-80f510304021'], 66, 'there is no task'],
  ['an id that is none', ['tasks', 'show', 'x'], 64, 'ids.0'],
  ['an unknown actor', ['actors', 'restart', 'absent'], 66, "no actor 'absent': there is boefje, normalizer, report"],
])('%s is reported in a sentence, the last line, with its exit code', async ([, args, exit, sentence]) => {
  const { code, stderr } = await hand.run(args);
  expect(stderr.trimEnd().split('\n').at(-1)).toContain(sentence);
  expect(code).toBe(exit);
});

test('of two supervisors one that is stuck is named, and the other one is shown', async () => {
  const { connection } = hand.client;
  const stuck = await connection.services.add({ name: hand.prefix, version: '0.0.1', metadata: { instance: 'stuck' } });
  const deaf = connection.subscribe(`${hand.prefix}.ctl.stuck.status`, { callback: () => {} });
  const { code, stdout } = await hand.run(['status', '--timeout', '2']);
  const { unanswered, supervisors } = await hand.json<Overview>(['status', '--timeout', '2']);
  deaf.unsubscribe();
  await stuck.stop();
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^LEVEL +ABOUT +FINDING +DO\nproblem +supervisor stuck +does not answer: ASK_TIMEOUT: no answer in time/,
  );
  expect(supervisors.length).toBeGreaterThan(0);
  expect(unanswered).toMatchObject([{ instance: 'stuck', why: expect.stringContaining('no answer in time') }]);
});

test('a supervisor that does not answer in time is distinguished from one that is not there', async () => {
  const subscription = hand.client.connection.subscribe('slow.ctl.status', { callback: () => {} });
  const { code, stderr } = await runCli(['status', '--prefix', 'slow', '--timeout', '0.2'], {
    env: { NATS_URL: inject('natsUrl') },
  });
  subscription.unsubscribe();
  expect(stderr).toContain(
    'no answer in time on slow.ctl.status: the supervisor is slow or stuck, or cut off from NATS',
  );
  expect(code).toBe(75);
});
