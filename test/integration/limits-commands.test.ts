import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { LimitView } from '../../src/protocol/limits.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { openHouse } from '../support/rota.ts';
import { boefjeTask } from '../support/wire.ts';

// Each command is a process of its own: a second or two on a busy machine.
vi.setConfig({ testTimeout: 180_000 });

let hand: RotaAtHand;

beforeAll(async () => {
  hand = await startRotaAtHand();
});

afterAll(() => hand.stop());

const pop = async () => (await hand.client.pop('boefje', { limit: 100 })).map(({ organisation }) => organisation);

test('a limit is set, listed, tested, explained and ended', async () => {
  const of = ['--organisation', 'lim'];
  expect(
    await hand.json(['limits', 'set', 'slow', ...of, '--key', 'all', '--rate', '1/1h', '--note', 'their wish']),
  ).toEqual({ name: 'slow', added: true });
  const ids = ['a', 'b', 'c'].map((ooi) => boefjeTask('lim', `Hostname|internet|${ooi}`));
  await hand.client.push('boefje', ids);
  await expect.poll(pop, { timeout: 60_000 }).toEqual(['lim']);
  expect(await hand.json(['limits', 'list'])).toMatchObject({
    results: [
      {
        name: 'slow',
        organisation: 'lim',
        key: 'all',
        rate: { tasks: 1, seconds: 3_600 },
        burst: 1,
        concurrency: null,
        waiting: 2,
        waiting_keys: 1,
        note: 'their wish',
        set_by: expect.any(String),
      },
    ],
  });
  const tested = await hand.run(['limits', 'test', ...of, '--ooi', 'Hostname|internet|d']);
  expect(tested.stdout).toMatch(/^limit slow 1\/h: 2 before it, about [23]h \d+m \(slow\/all\)\nit may start in [23]h/);
  const tasks = await hand.json<{ results: { id: string }[] }>(['tasks', 'list', ...of, '--status', 'queued']);
  const explained = await hand.run(['explain', tasks.results[0]!.id]);
  expect(explained.stdout).toContain('In the way: limit: slow 1/h: 1 before it, about ');
  expect(explained.stdout).toMatch(/It may start about 20.*, by its limits\./);
  expect((await hand.run(['tasks', 'show', tasks.results[0]!.id])).stdout).toMatch(/in the queue +held by slow/);
  expect(await hand.json(['limits', 'unset', 'slow'])).toEqual({ name: 'slow' });
  await expect.poll(pop, { timeout: 60_000 }).toEqual(['lim', 'lim']);
  const audit = await hand.json<{ results: object[] }>(['audit', '--limit', '2']);
  expect(audit.results).toMatchObject([{ command: 'unset-limit' }, { command: 'set-limit', organisation: 'lim' }]);
});

test('a window holds what is queued until it opens, and says when', async () => {
  const of = ['--organisation', 'win'];
  await hand.client.push('boefje', boefjeTask('win', 'Hostname|internet|a'));
  await hand.json([
    'windows',
    'set',
    'hold',
    ...of,
    '--closed-from',
    '2020-01-01T00:00',
    '--until',
    '2999-01-01T00:00',
  ]);
  await expect
    .poll(() => hand.json(['windows', 'list']), { timeout: 60_000 })
    .toMatchObject({ results: [{ name: 'hold', organisation: 'win', zone: 'UTC', open: false, waiting: 1 }] });
  expect(await pop()).toEqual([]);
  const explained = await hand.run(['explain', ...of, '--boefje', 'dns-records', '--ooi', 'Hostname|internet|b']);
  expect(explained.stdout).toContain('In the way: window: hold: opens at 2999-01-01 00:00 UTC.');
  await hand.json(['windows', 'unset', 'hold']);
  await expect.poll(pop, { timeout: 60_000 }).toEqual(['win']);
});

test('what makes no sense is refused with the field and what was expected', async () => {
  const refused = async (command: string, body: object) =>
    hand.client.ctl(command as never, body as never).then(
      () => 'done',
      (error: Error) => error.message,
    );
  const limit = { name: 'x', key: 'all', rate: { tasks: 1, seconds: 1 } };
  await hand.client.ctl('set-limit', { ...limit, boefje: 'shodan' });
  expect(await refused('set-limit', { name: limit.name, rate: { tasks: 1, seconds: 300 } })).toMatch(
    /is for boefje shodan.*: name that again, or end it first/,
  );
  await hand.client.ctl('unset-limit', { name: limit.name });
  expect(await refused('set-limit', { ...limit, key: ' ' })).toMatch(/key: it names nothing/);
  expect(await refused('set-limit', { ...limit, key: 'host:{hots}' })).toMatch(
    /key: unknown placeholder \{hots\}: expected .*\{host\}/,
  );
  expect(await refused('set-limit', { ...limit, rate: { tasks: 0, seconds: 1 } })).toMatch(/rate\.tasks/);
  expect(await refused('set-limit', { ...limit, rate: { tasks: 2_000, seconds: 1 } })).toMatch(
    /rate: at most 1000 tasks a second/,
  );
  expect(await refused('set-limit', { ...limit, rate: null })).toMatch(/rate: expected a rate, a concurrency, or both/);
  expect(await refused('set-limit', { ...limit, burst: 0 })).toMatch(/burst/);
  expect(await refused('set-limit', { ...limit, concurrency: 0 })).toMatch(/concurrency/);
  expect(await refused('set-limit', { ...limit, name: 'a b' })).toMatch(/name: at most 64 of/);
  expect(await refused('set-limit', { ...limit, scheduler: 'boefjes' })).toMatch(
    /no scheduler boefjes; there are: boefje/,
  );
  expect(await refused('set-limit', { ...limit, organisation: 'o'.repeat(513) })).toMatch(
    /organisation: at most 512 bytes/,
  );
  expect(await refused('unset-limit', { name: 'gone' })).toMatch(/no limit gone; there are: none/);
  const window = { name: 'w', cron: '0 22 * * *', seconds: 60 };
  expect(await refused('set-window', { ...window, cron: '0 0 30 2 *' })).toMatch(/cron: it never opens: /);
  expect(await refused('set-window', { ...window, zone: 'Europe/Amstelveen' })).toMatch(/unknown time zone/);
  expect(await refused('set-window', { name: 'w', from: '2026-02-02T00:00', until: '2026-02-01T00:00' })).toMatch(
    /ends before it begins/,
  );
  expect(await refused('set-window', { name: 'w', from: '2020-02-02T00:00', until: '2020-03-01T00:00' })).toMatch(
    /has ended already/,
  );
  expect(await refused('set-window', { ...window, until: '2026-02-01T00:00' })).toMatch(/expected cron and seconds/);
  expect(await refused('set-window', window)).toBe('done');
  expect(await refused('set-limit', { ...limit, name: 'w' })).toMatch(/w is a window already/);
  expect(await refused('unset-window', { name: 'w' })).toBe('done');
});

test('a rate that Katalogus gives holds across organisations; an operator changes it, and may end it', async () => {
  const house = await openHouse();
  onTestFinished(() => house.stop());
  const shodan = () => boefje('shodan', { rate_limit_interval: 3_600, rate_limit_group: 'api.shodan.io' });
  const organisations = ['a.nl', 'b.nl'].map((name) =>
    addOrganisation(house.world, { plugins: [shodan(), boefje('dns')], objects: [hostname(name)] }),
  );
  await house.start();
  await house.client.ctl('look');
  const listed = async () => (await house.client.ctl<{ readonly results: readonly LimitView[] }>('limits')).results;
  await expect
    .poll(listed, { timeout: 20_000 })
    .toMatchObject([
      { name: 'katalogus.api.shodan.io', boefje: 'shodan', key: 'api.shodan.io', rate: { tasks: 1, seconds: 3_600 } },
    ]);
  const waiting = async () => (await listed())[0]!.waiting;
  const popped: string[] = [];
  const pop = async () => {
    for (const { data } of await house.client.pop('boefje', { limit: 10, wait_ms: 100 }))
      popped.push((data as { boefje: { id: string } }).boefje.id);
    return popped.toSorted();
  };
  await expect.poll(pop, { timeout: 20_000 }).toEqual(['dns', 'dns', 'shodan']);
  // What readers ask is remembered for a second.
  await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
  await house.client.ctl('set-limit', {
    name: 'katalogus.api.shodan.io',
    boefje: 'shodan',
    key: 'api.shodan.io',
    rate: { tasks: 1, seconds: 0.05 },
  });
  await house.client.ctl('look');
  await expect.poll(pop, { timeout: 20_000 }).toEqual(['dns', 'dns', 'shodan', 'shodan']);
  expect(await listed()).toMatchObject([{ rate: { tasks: 20, seconds: 1 } }]);
  expect(organisations).toHaveLength(2);
});
