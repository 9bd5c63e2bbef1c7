import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ExplanationView } from '../../src/protocol/operator-lists.ts';
import { boefjeRun, rawFileReceived } from '../../src/simulator/events.ts';
import { type SimulatedKat, startKat } from '../../src/simulator/kat.ts';
import { createWorld } from '../../src/simulator/world.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';

// Each command is a process of its own: a second or two on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let kat: SimulatedKat;
let hand: RotaAtHand;
/** An enabled boefje of the world and an object that it may scan. */
let [boefje, ooi] = ['', ''];

const organisation = 'org-1';

beforeAll(async () => {
  kat = await startKat(createWorld({ organisations: 1, objects: 30, boefjes: 4, seed: 1 }));
  const { plugins, objects } = kat.world.organisations.get(organisation)!;
  for (const plugin of plugins.values()) {
    if (plugin.type !== 'boefje' || !plugin.enabled || plugin.run_on !== null || plugin.cron !== null) continue;
    const fits = [...objects.values()].find(
      (it) => plugin.consumes.includes(it.objectType) && (it.level ?? 0) >= plugin.scan_level,
    );
    if (fits !== undefined) [boefje, ooi] = [plugin.id, fits.reference];
  }
  hand = await startRotaAtHand({
    KATALOGUS_API: kat.urls.katalogus,
    OCTOPOES_API: kat.urls.octopoes,
    BYTES_API: kat.urls.bytes,
    BYTES_USERNAME: kat.credentials.username,
    BYTES_PASSWORD: kat.credentials.password,
  });
  await hand.client.ctl('look');
});

afterAll(async () => {
  await hand.stop();
  await kat.close();
});

const explain = (...args: string[]) => hand.json<ExplanationView>(['explain', ...args]);
const explainPair = () => explain('--organisation', organisation, '--boefje', boefje, '--ooi', ooi);

test('a queued task is refused as queued, with its place and the pause in its way', async () => {
  await expect.poll(async () => (await explainPair()).reason).toBe('already-queued');
  await hand.json(['pause', 'boefje', '--organisation', organisation]);
  const paused = await explainPair();
  expect(paused).toMatchObject({ verdict: 'refused', task: { status: 'queued' }, schedule: { enabled: true } });
  expect(paused.in_the_way).toMatchObject([{ what: 'pause' }]);
  expect(Date.parse(paused.next_run_at!)).toBeGreaterThan(Date.now());
  await hand.json(['resume', 'boefje', '--organisation', organisation]);
});

test('a finished task is refused for the grace period, by task and by its schedule; a cancelled one would run', async () => {
  const { task, schedule } = await explainPair();
  await hand.json(['tasks', 'cancel', task!.id]);
  expect(await explainPair()).toMatchObject({ verdict: 'would-run', reason: null });
  await hand.json(['tasks', 'retry', task!.id]);
  const claimed = (await hand.client.pop('boefje', { limit: 500 })).find(({ id }) => id === task!.id)!;
  expect(await explain(task!.id)).toMatchObject({ reason: 'still-running', in_the_way: [{ what: 'worker' }] });
  await hand.client.patch({ id: claimed.id, status: 'completed', lease_id: claimed.lease_id });
  expect(await explain(task!.id)).toMatchObject({ reason: 'grace-period', trigger: 'event' });
  expect(await explain(schedule!.id)).toMatchObject({ reason: 'grace-period', trigger: 'schedule' });
  await hand.json(['schedules', 'disable', schedule!.id]);
  expect(await explain(schedule!.id)).toMatchObject({
    reason: 'schedule-disabled',
    schedule: { disabled_reason: 'person' },
    next_run_at: null,
  });
});

test('people and programs read when a queued task starts, or why that cannot be told', async () => {
  const { task } = await explainPair();
  await hand.json(['tasks', 'retry', task!.id]);
  await hand.json(['pause', 'boefje', '--organisation', organisation]);
  expect((await explain(task!.id)).start).toMatchObject({ unknown: 'held', estimated_start_at: null });
  const { stdout: held } = await hand.run(['explain', task!.id]);
  // What is queued is not said to be refused.
  expect(held).toMatch(/^Queued, paused since 20\d\d-.* UTC by \S+\.\n/);
  expect(held).not.toContain('would not be queued');
  expect(held).toContain('When it starts cannot be told: a pause holds it.');
  expect(held).toMatch(/In the way: pause: .* paused since /);
  await hand.json(['resume', 'boefje', '--organisation', organisation]);
  // Popped above, and stored by now or within two seconds.
  await expect.poll(async () => (await explain(task!.id)).start?.unknown, { timeout: 20_000 }).toBeNull();
  const { stdout: told } = await hand.run(['explain', task!.id]);
  expect(told).toMatch(
    /^Queued since 20\d\d-.* UTC; it starts about 20\d\d-.* before it\.\nDo: nothing: wait for its turn\.\n/,
  );
  expect(told).toMatch(
    /It starts about 20\d\d-.* UTC \((in .*|.* ago)\): \d+ before it at [\d.]+\/\w+, as over the last \d+s\./,
  );
  const { stdout: status } = await hand.run(['status']);
  expect(status).toMatch(/^boefje +\d+ +[\d.]+\/\w+ +in .*, 20\d\d-.* UTC +\d+.* ago$/m);
});

test('an unknown boefje and an unknown OOI are reported one by one', async () => {
  expect(await explain('--organisation', organisation, '--boefje', 'absent', '--ooi', ooi)).toMatchObject({
    reason: 'boefje-gone',
  });
  expect(
    await explain('--organisation', organisation, '--boefje', boefje, '--ooi', 'Hostname|internet|none'),
  ).toMatchObject({
    reason: 'ooi-gone',
  });
});

test('a raw file is explained by the event about it: for all normalizers, for one, and as a dead letter', async () => {
  const { plugins } = kat.world.organisations.get(organisation)!;
  const parser = [...plugins.values()].find((it) => it.type === 'normalizer' && it.enabled)!;
  const run = boefjeRun({ boefje, inputOoi: ooi, organisation, tookMs: 10 });
  const event = rawFileReceived(randomUUID(), run, [parser.consumes[0]!]);
  const explainFile = (file: object, ...more: string[]) =>
    hand.json<ExplanationView>(['explain', '--raw-file', '-', ...more], JSON.stringify(file));
  const whole = await explainFile(event);
  expect(whole).toMatchObject({ scheduler: 'normalizer', verdict: 'would-run', hash: null, task: null });
  expect(whole.steps.find(({ rule }) => rule === 'input')?.fact).toContain(parser.id);
  expect(await explainFile(event, '--normalizer', parser.id)).toMatchObject({ hash: expect.any(String) });
  expect(await explainFile({ id: '1', body: event }, '--normalizer', 'absent')).toMatchObject({
    reason: 'not-consumed',
  });

  const { code, stderr } = await hand.run(['explain', '--raw-file', '-'], JSON.stringify({ organization: 'aa' }));
  expect(stderr).toContain('raw_file.raw_data');
  expect(code).toBe(64);
});

test('while Octopoes is down its step says so, and the rest is answered', async () => {
  kat.outage('octopoes', 'error');
  const { verdict, steps } = await explain('--organisation', organisation, '--boefje', boefje, '--ooi', `${ooi}x`);
  kat.outage('octopoes', 'none');
  expect(verdict).toBe('unknown');
  expect(steps.find(({ rule }) => rule === 'ooi')).toMatchObject({ outcome: 'unanswered' });
  expect(steps.find(({ rule }) => rule === 'last run')).toMatchObject({ outcome: 'passes' });
});

test('people read it as a table and two sentences', async () => {
  const { stdout, code } = await hand.run(['explain', '--organisation', organisation, '--boefje', 'absent']);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^It would not be queued on an event about it: Katalogus does not know .*\.\nWhy: boefje-gone: .*\.\nDo: .*\.\n\nRULE +OK/,
  );
  expect(stdout).toContain('It has no schedule.');
});

test('half a question is refused', async () => {
  const { code, stderr } = await hand.run(['explain', '--organisation', organisation]);
  expect(stderr).toContain('expected the id of a task or schedule, or --organisation and --boefje, or --raw-file');
  expect(code).toBe(64);
  expect(await hand.run(['explain', 'x'])).toMatchObject({ code: 64, stderr: expect.stringContaining('id: ') });
});
