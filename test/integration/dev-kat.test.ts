import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectRota, type RotaClient } from '../../src/nats/client.ts';
import { noChromium, startBrowser } from '../support/chromium.ts';
import { textOf } from '../support/page-stage.ts';

// A browser, and whole supervisors, on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

interface Ready {
  readonly api: string;
  readonly nats: string;
  readonly page: string;
  readonly data: string;
  readonly kat: {
    readonly organisations: readonly string[];
    readonly failing: string;
    readonly workers: number;
  } | null;
}

const started: ChildProcess[] = [];
/** Also those of a test that ran out of time. */
afterAll(() => Promise.all(started.map(stop)));

/** `rota dev` as a person starts it, on free ports. */
async function startDev(data: string, args: readonly string[]) {
  const ports = ['--api-port', '0', '--nats-port', '0', '--page-port', '0'];
  const child = spawn(process.execPath, [entry, 'dev', '--data', data, ...ports, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const [line] = (await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'close').then(() => {
      throw new Error(`it ended before it served:\n${log}`);
    }),
  ])) as [string];
  return { child, ready: JSON.parse(line) as Ready, log: () => log };
}

async function stop(child: ChildProcess | undefined): Promise<number | null> {
  if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  return ((await closed) as [number | null])[0];
}

const size = ['--kat', '--organisations', '2', '--objects', '12', '--boefjes', '4', '--seconds', '6', '--workers', '4'];

describe.skipIf(await noChromium())('rota dev --kat', () => {
  let data: string;
  let browser: Browser;
  let dev: Awaited<ReturnType<typeof startDev>>;
  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'rota-dev-kat-'));
    [browser, dev] = await Promise.all([startBrowser(), startDev(data, size)]);
  });
  afterAll(async () => {
    await browser?.close();
    await stop(dev?.child);
    await rm(data, { recursive: true, force: true });
  });

  test('its link logs in; the burst arrives live; a boefje fails and says why; a pause holds and is ended', async () => {
    const { failing, organisations } = dev.ready.kat!;
    const context = await browser.newContext();
    const page = await context.newPage();
    const harm: string[] = [];
    page.on('pageerror', (error) => harm.push(error.message));
    await page.goto(dev.ready.page);
    await page.evaluate('globalThis.loadedOnce = true');

    const waiting = async () =>
      Number(await page.locator('#work-boefje td[data-head="Waiting"] data').getAttribute('value'));
    await expect.poll(waiting, { timeout: 60_000 }).toBeGreaterThan(3);
    await expect.poll(() => textOf(page, '#work-normalizer td[data-head="Out"]'), { timeout: 60_000 }).toMatch(/^\d/);
    expect(await page.evaluate('globalThis.loadedOnce')).toBe(true);

    const origin = new URL(dev.ready.page).origin;
    const row = page.locator('#rows tbody tr').filter({ hasText: failing }).first();
    await expect
      .poll(
        async () => {
          await page.goto(`${origin}/tasks?status=failed&scheduler=boefje`);
          return row.count();
        },
        { timeout: 60_000, interval: 500 },
      )
      .toBeGreaterThan(0);
    expect(await row.textContent()).toContain('no route to host');
    await row.getByRole('link').first().click();
    expect(await textOf(page, '#verdict')).toContain(`exit: ${failing}: exit status 1: no route to host`);
    await page.locator('#attempts').getByText('what its worker said').click();
    expect(await page.locator('#attempts pre').innerText()).toContain(`Starting ${failing} on `);

    const organisation = organisations[0]!;
    await page.goto(`${origin}/organisations/${organisation}`);
    await page.getByRole('combobox', { name: 'Scheduler' }).selectOption('boefje');
    await page.getByRole('button', { name: 'Pause…' }).click();
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    expect(await textOf(page, '.notice')).toContain('paused');
    await page.getByRole('button', { name: 'Resume' }).first().click();
    expect(await textOf(page, '.notice')).toContain('resumed');
    expect(harm).toEqual([]);
    await context.close();
  });

  test('SIGTERM ends all of it, its data stays, and the next start goes on: new objects keep coming', async () => {
    const before = await looked(dev.ready, (client) => totals(client));
    expect(await stop(dev.child)).toBe(0);
    dev = await startDev(data, size);
    await looked(dev.ready, async (client) => {
      const since = await totals(client);
      expect(since).toBeGreaterThanOrEqual(before);
      await expect.poll(() => totals(client), { timeout: 60_000 }).toBeGreaterThan(since);
    });
    expect(dev.log()).not.toContain('ERROR');
  });
});

async function looked<T>({ nats }: Ready, look: (client: RotaClient) => Promise<T>): Promise<T> {
  const client = await connectRota({ servers: nats, timeoutMs: 60_000 });
  return look(client).finally(() => client.close());
}

/** Tasks of boefjes, whatever their status. */
async function totals(client: RotaClient): Promise<number> {
  const search = { scheduler: 'boefje', limit: 500 };
  return (await client.ctl<{ results: readonly unknown[] }>('tasks', search)).results.length;
}

test('without a KAT its events come over JetStream by themselves, and a broken one is a dead letter', async () => {
  const data = await mkdtemp(join(tmpdir(), 'rota-dev-events-'));
  const { child, ready } = await startDev(data, []);
  try {
    expect(ready).toMatchObject({ data, kat: null });
    // It serves before its actors listen: with the streams that they make it is ready.
    await expect.poll(async () => (await fetch(`${ready.api}/ready`)).ok, { timeout: 60_000 }).toBe(true);
    await looked(ready, async (client) => {
      await client.connection.jetstream().publish('rota.kat.scan_profile_mutations', '{"operation":"create"}');
      const dead = () => client.ctl<{ results: readonly unknown[] }>('dead-letters', {});
      await expect.poll(async () => (await dead()).results.length, { timeout: 60_000 }).toBe(1);
    });
  } finally {
    await stop(child);
    await rm(data, { recursive: true, force: true });
  }
});
