import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { boefjeTask } from '../support/wire.ts';

// Each command is a process of its own: a second or two on a busy machine.
vi.setConfig({ testTimeout: 180_000 });

const page = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8');
/** The command of a recipe, as the page has it. */
function recipe(name: string): readonly string[] {
  const [, command] = new RegExp(`<!-- recipe: ${name} -->\\n\\n {4}rota (.*)\\n`).exec(page) ?? [];
  return [...command!.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

let hand: RotaAtHand;

beforeAll(async () => {
  hand = await startRotaAtHand();
});

afterAll(() => hand.stop());

const task = (organisation: string, boefje: string, ooi: string, priority?: number) => {
  const { data, ...rest } = boefjeTask(organisation, ooi);
  const made = { ...rest, data: { ...(data as Record<string, unknown>), boefje: { id: boefje, oci_image: 'img' } } };
  return priority === undefined ? made : { ...made, priority };
};
const push = (tasks: readonly ReturnType<typeof task>[]) => hand.client.push('boefje', tasks as never);
const pop = async () => hand.client.pop('boefje', { limit: 100 });
/** Pops until so many came, and then whether more do; when each came, in milliseconds. */
async function popAll(count: number) {
  const popped: { readonly ooi: string; readonly at: number; readonly id: string; readonly lease: string }[] = [];
  const began = performance.now();
  while (popped.length < count && performance.now() - began < 60_000)
    for (const { id, lease_id: lease, data } of await hand.client.pop('boefje', { limit: 100, wait_ms: 500 }))
      popped.push({ ooi: String((data as Record<string, unknown>)['input_ooi']), at: performance.now(), id, lease });
  expect(popped).toHaveLength(count);
  return popped;
}
const complete = (tasks: readonly { readonly id: string; readonly lease: string }[]) =>
  Promise.all(tasks.map(({ id, lease }) => hand.client.patch({ id, lease_id: lease, status: 'completed' })));
const end = (kind: 'limits' | 'windows', name: string) => hand.json([kind, 'unset', name]);

test('Shodan: one request a second, of all organisations together', async () => {
  await hand.json(recipe('shodan'));
  await push(['a', 'b', 'c'].map((organisation) => task(organisation, 'shodan', 'IPAddressV4|internet|192.0.2.1')));
  await push([task('a', 'dns', 'Hostname|internet|a.nl')]);
  const popped = await popAll(4);
  const shodan = popped.filter(({ ooi }) => ooi.startsWith('IP')).map(({ at }) => at);
  // By this clock, to which the answers travel: the race test is exact.
  expect(shodan[2]! - shodan[0]!).toBeGreaterThan(1_500);
  expect(popped.find(({ ooi }) => ooi.startsWith('Host'))!.at).toBeLessThan(shodan[2]!);
  await end('limits', 'shodan');
  // What runs counts for the limits of the next recipe.
  await complete(popped);
});

test('one scan per host', async () => {
  await hand.json(recipe('host'));
  await push([
    task('a', 'nmap', 'Hostname|internet|a.nl'),
    task('a', 'ssl', 'URL|internet|https://a.nl/'),
    task('a', 'nmap', 'Hostname|internet|b.nl'),
  ]);
  const first = await popAll(2);
  expect(await pop()).toEqual([]);
  await complete(first);
  await complete(await popAll(1));
  await end('limits', 'one-per-host');
});

test('politeness to a network: two at once, and what a person asks for at once', async () => {
  await hand.json(recipe('network'));
  const address = (last: number) => `IPAddressV4|internet|198.51.100.${last}`;
  await push([
    ...[1, 2, 3].map((last) => task('a', 'nmap', address(last))),
    task('a', 'nmap', 'IPAddressV4|internet|203.0.113.1'),
    task('a', 'nmap', address(9), 1),
  ]);
  // None ends: of the network two have begun after six seconds, and the third waits for them.
  const popped = (await popAll(4)).map(({ ooi }) => ooi);
  expect(popped).toContain(address(9));
  expect(popped).toContain('IPAddressV4|internet|203.0.113.1');
  expect(await pop()).toEqual([]);
  await end('limits', 'polite');
  await popAll(1);
});

test('nights only: a window that is closed holds, and says when it opens', async () => {
  await hand.json(recipe('nights'));
  const { results } = await hand.json<{ results: { open: boolean; changes_at: string; zone: string }[] }>([
    'windows',
    'list',
  ]);
  expect(results).toMatchObject([{ zone: 'Europe/Amsterdam', cron: '0 22 * * *', seconds: 28_800 }]);
  const { open, changes_at: changes } = results[0]!;
  const hour = Number(new Date(changes).toLocaleString('en-GB', { timeZone: 'Europe/Amsterdam', hour: '2-digit' }));
  expect(hour).toBe(open ? 6 : 22);
  // By its own hours it may be open at this moment: six hours from now it is closed.
  const later = `0 ${(new Date().getUTCHours() + 6) % 24} * * *`;
  await hand.json(['windows', 'set', 'nights', '--boefje', 'nmap', '--opens', later, '--for', '1h']);
  await push([task('a', 'nmap', 'Hostname|internet|night.nl')]);
  await expect.poll(() => hand.json(['windows', 'list'])).toMatchObject({ results: [{ waiting: 1, open: false }] });
  expect(await pop()).toEqual([]);
  await end('windows', 'nights');
  await popAll(1);
});

test('an organisation on hold: nothing of it, and all of the others', async () => {
  // Of the recipe, with times around this moment.
  const around: Readonly<Record<string, number>> = { '--closed-from': -7_200_000, '--until': 172_800_000 };
  const wallOf = (ms: number) => new Date(Date.now() + ms).toISOString().slice(0, 16);
  await hand.json(
    recipe('hold').map((word, at, words) => ((words[at - 1] ?? '') in around ? wallOf(around[words[at - 1]!]!) : word)),
  );
  await push([task('org-1', 'nmap', 'Hostname|internet|x.nl'), task('org-2', 'nmap', 'Hostname|internet|x.nl')]);
  await popAll(1);
  await expect
    .poll(() => hand.json(['windows', 'list']))
    .toMatchObject({ results: [{ organisation: 'org-1', waiting: 1, note: 'change freeze' }] });
  expect(await pop()).toEqual([]);
  await end('windows', 'org-1-freeze');
  await popAll(1);
});
