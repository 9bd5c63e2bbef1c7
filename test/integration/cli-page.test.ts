import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { type RotaAtHand, runCli, startRotaAtHand } from '../support/cli.ts';
import { ask, fromUs, logIn, open, tokensFor } from '../support/page.ts';

vi.setConfig({ testTimeout: 120_000 });

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const wrongClock = new URL('../support/wrong-wall-clock.ts', import.meta.url).href;
const { lines, of } = tokensFor({ ops: 'operate', wall: 'read' });

let hand: RotaAtHand;
let page: ChildProcess;
let url: string;
const children: ChildProcess[] = [];

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const remote = { NATS_URL: inject('natsUrl'), SCHEDULER_NATS_PREFIX: hand.prefix, SCHEDULER_API_TOKENS: lines };
  const child = spawn(process.execPath, [entry, ...args], {
    env: { ...process.env, ...remote, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

beforeAll(async () => {
  hand = await startRotaAtHand();
  // This machine's clock is an hour off: ages are told by the database's.
  page = start(['page', '--port', '0', '--json'], {
    NODE_OPTIONS: `--import=${wrongClock}`,
    WALL_CLOCK_AHEAD_MS: '3600000',
  });
  const [line] = (await once(createInterface(page.stdout!), 'line')) as [string];
  ({ page: url } = JSON.parse(line) as { page: string });
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await hand.stop();
});

async function look(cookie: string) {
  const from = performance.now();
  const { status, body } = await ask(url, '/machinery', { headers: { cookie } });
  return { status, body, ms: performance.now() - from };
}

/** Those of which the page shows actors: one that does not answer has a row that says so, and nothing else. */
const supervisorsOn = (body: string) =>
  new Set(
    [
      ...body
        .split('<section id="actors">')[1]!
        .split('</section>')[0]!
        .matchAll(/data-head="On">([0-9a-f]{8})<\/td>/g),
    ].map(([, id]) => id),
  );

test('the page over NATS shows all supervisors, and outlives them', async () => {
  const cookie = await logIn(url, of.wall);
  const env = {
    SCHEDULER_DB_URI: hand.databaseUrl,
    SCHEDULER_API_HOST: '127.0.0.1',
    SCHEDULER_API_PORT: '0',
    SCHEDULER_LOGGING_FORMAT: 'json',
  };
  const other = start(['start'], env);
  other.stdout!.resume();
  await expect.poll(async () => supervisorsOn((await look(cookie)).body).size, { interval: 500 }).toBe(2);

  // One that hangs is waited for shortly, and the rest is shown.
  other.kill('SIGSTOP');
  const hanging = await look(cookie);
  expect(hanging.status).toBe(200);
  expect(hanging.ms).toBeLessThan(5_000);
  expect(supervisorsOn(hanging.body).size).toBe(1);

  other.kill('SIGKILL');
  const killed = await look(cookie);
  expect([killed.status, supervisorsOn(killed.body).size]).toEqual([200, 1]);
});

test('its time is the database’s', async () => {
  const { body } = await look(await logIn(url, of.wall));
  const [, now] = /data-now="([\d.]+)"/.exec(body)!;
  expect(Math.abs(Number(now) - Date.now())).toBeLessThan(60_000);
});

test('who did what is known by the name of the token, and a reader does nothing', async () => {
  const [ops, wall] = await Promise.all([logIn(url, of.ops), logIn(url, of.wall)]);
  const post = (cookie: string, path: string, body: Readonly<Record<string, string>>) =>
    ask(url, path, { method: 'POST', headers: { cookie, ...fromUs }, body });
  const fields = { scheduler: 'report', organisation: 'org-1' };
  expect((await post(wall, '/do/pause', fields)).status).toBe(403);
  const asked = await post(ops, '/do/pause', fields);
  const [, seal] = /name="seal" value="([^"]+)"/.exec(asked.body)!;
  expect((await post(ops, '/do/pause', { ...fields, seal: seal! })).status).toBe(303);
  const { results } = await hand.client.ctl<{ results: unknown[] }>('pauses', {});
  expect(results).toMatchObject([{ scheduler: 'report', organisation: 'org-1', paused_by: 'ops' }]);
});

test('it says what it needs, and does not open itself to a network', async () => {
  const env = { NATS_URL: inject('natsUrl'), SCHEDULER_API_TOKENS: '' };
  const refused = await runCli(['page', '--host', '0.0.0.0', '--port', '0'], { env });
  expect(refused.code).toBe(78);
  expect(refused.stderr).toMatch(/SCHEDULER_PAGE_HOST=0\.0\.0\.0: without tokens the page is for this machine alone/);
});

test('it ends at once, with streams open', async () => {
  const cookie = await logIn(url, of.wall);
  const stream = await open(url, '/live?at=%2Fmachinery', { headers: { cookie } });
  stream.resume();
  page.kill('SIGTERM');
  const [code] = (await once(page, 'exit')) as [number];
  expect(code).toBe(0);
});
