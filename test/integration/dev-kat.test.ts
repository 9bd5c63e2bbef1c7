import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectRota, type RotaClient } from '../../src/nats/client.ts';
import { actions } from '../../src/page/actions/actions.ts';
import { noChromium, startBrowser } from '../support/chromium.ts';
import { logIn, tokensFor } from '../support/page.ts';
import { openWatched, textOf } from '../support/page-stage.ts';
import { boefjeTask, taskOf } from '../support/wire.ts';

// A browser, and whole supervisors, on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

interface Ready {
  readonly api: string;
  readonly nats: string;
  readonly db: string;
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
async function startDev(data: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const ports = ['--api-port', '0', '--nats-port', '0', '--page-port', '0'];
  const child = spawn(process.execPath, [entry, 'dev', '--data', data, ...ports, ...args, '--json'], {
    env: { ...process.env, ...environment },
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

const { lines, of: tokens } = tokensFor({ 'ops-1': 'operate', wall: 'read' });
const size = ['--kat', '--organisations', '2', '--objects', '12', '--boefjes', '4', '--seconds', '6', '--workers', '4'];

/** Ends an attribute, a tag and a script; turns text around, rings, begins a line. */
const markup = `"><img src=x onerror=harmed('ran')><script>harmed('ran')</script><a href="javascript:harmed('ran')">'-->\u202Eevil\u0007\nline`;

describe.skipIf(await noChromium())('rota dev --kat', () => {
  let data: string;
  let browser: Browser;
  let dev: Awaited<ReturnType<typeof startDev>>;
  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'rota-dev-kat-'));
    [browser, dev] = await Promise.all([startBrowser(), startDev(data, size, { SCHEDULER_API_TOKENS: lines })]);
  });
  afterAll(async () => {
    await browser?.close();
    await stop(dev?.child);
    await rm(data, { recursive: true, force: true });
  });

  const origin = () => new URL(dev.ready.page).origin;
  /** In a context that ends with the test. */
  const visit = async (who: keyof typeof tokens) => openWatched(browser, origin(), await logIn(origin(), tokens[who]));
  const rowsOf = (page: Page) => page.locator('#rows tbody tr');

  test('its link logs in; the burst arrives live; a boefje fails and says why', async () => {
    const { failing } = dev.ready.kat!;
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

    const row = rowsOf(page).filter({ hasText: failing }).first();
    await expect
      .poll(
        async () => {
          await page.goto(`${origin()}/tasks?status=failed&scheduler=boefje`);
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
    expect(harm).toEqual([]);
    await context.close();
  });

  test('why a boefje does not run is found: a pause, ended there, and the KAT’s worker runs it', async () => {
    const [organisation] = dev.ready.kat!.organisations as [string];
    const boefje = 'dns-records';
    const { page, harm } = await visit('ops-1');
    await looked(dev.ready, async (client) => {
      const done = { scheduler: 'boefje', organisation, plugin: boefje, status: 'completed' };
      const found = () => client.ctl<{ results: readonly { data: { input_ooi: string } }[] }>('tasks', done);
      await expect.poll(async () => (await found()).results.length, { timeout: 60_000 }).toBeGreaterThan(0);
      const ooi = (await found()).results[0]!.data.input_ooi;
      await client.ctl('pause', { scheduler: 'boefje', organisation, note: 'migration' }, { by: 'ops-2' });
      const [pushed] = await client.push('boefje', [boefjeTask(organisation, ooi, boefje)]);
      const { id } = pushed as { readonly id: string };
      await page.goto('/');
      expect(await textOf(page, '#verdict')).toContain(`boefje, ${organisation}, every boefje paused by ops-2`);
      await page.getByRole('navigation').getByRole('link', { name: 'Why', exact: true }).click();
      await page.getByRole('combobox', { name: 'Organisation' }).fill(organisation);
      await page.getByRole('combobox', { name: 'Boefje' }).fill(boefje);
      await page.getByLabel('OOI, the whole reference').fill(ooi);
      await page.getByRole('button', { name: 'Explain' }).click();
      expect(await textOf(page, '#verdict')).toMatch(/Queued, paused since .*migration/);
      expect((await taskOf(client, id))?.status).toBe('queued');
      await page.locator('#verdict').getByRole('button', { name: 'Resume' }).click();
      expect(await textOf(page, '.notice')).toContain('resumed');
      await expect.poll(async () => (await taskOf(client, id))?.status, { timeout: 60_000 }).toBe('completed');
    });
    expect(harm).toEqual([]);
  });

  test('1 200 tasks are cancelled in bulk: their number typed, progress seen, the end said', async () => {
    const organisation = 'wrong-scope';
    const { page, harm } = await visit('ops-1');
    await looked(dev.ready, async (client) => {
      await client.ctl('pause', { scheduler: 'boefje', organisation });
      const ids: string[] = [];
      for (let from = 0; from < 1_200; from += 400) {
        const batch = Array.from({ length: 400 }, (_none, n) =>
          boefjeTask(organisation, `Hostname|internet|host-${from + n}.example`),
        );
        ids.push(...(await client.push('boefje', batch)).map((item) => (item as { readonly id: string }).id));
      }
      await page.goto(`/tasks?organisation=${organisation}&status=queued`);
      await page.getByRole('button', { name: 'Cancel all…' }).click();
      expect(await page.locator('h1').textContent()).toBe(`Cancel 1,200 queued tasks of ${organisation}?`);
      await page.getByLabel('Type 1200').fill('1200');
      // The newest are first: the second batch waits for this task.
      const sql = postgres(dev.ready.db, { max: 1 });
      await sql`BEGIN`;
      await sql`SELECT FROM tasks WHERE id = ${ids[300]!} FOR UPDATE`;
      await page.getByRole('button', { name: 'Cancel 1,200' }).click();
      await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
      const progress = page.locator('#progress progress');
      await expect.poll(() => progress.getAttribute('value')).toBe('500');
      expect(await textOf(page, '#progress [data-say]')).toContain('▸ runs');
      await sql`COMMIT`;
      await sql.end();
      await expect.poll(() => textOf(page, '#progress [data-say]'), { timeout: 30_000 }).toContain('✔ done:');
      expect(await progress.getAttribute('value')).toBe('1200');
      await page.getByRole('link', { name: 'The tasks that it is about' }).click();
      expect(await textOf(page, '#rows')).toContain('No queued tasks');
      expect((await taskOf(client, ids[300]!))?.status).toBe('cancelled');
    });
    expect(harm).toEqual([]);
  });

  test('an event that was given up is tried again, and dropped', async () => {
    const { page, harm } = await visit('ops-1');
    await looked(dev.ready, (client) =>
      client.connection.jetstream().publish('rota.kat.raw_file_received', JSON.stringify({ mark: markup })),
    );
    await page.goto('/machinery');
    const letters = page.locator('#letters tbody tr');
    await expect.poll(() => letters.count(), { timeout: 60_000 }).toBe(1);
    const first = await letters.getAttribute('id');
    await letters.getByText('Show body').click();
    expect(await letters.locator('pre').innerText()).toContain('<img src=x onerror=');
    await letters.getByRole('button', { name: 'Requeue' }).click();
    expect(await textOf(page, '.notice')).toContain('1 event is tried again');
    await expect
      .poll(async () => [await letters.count(), (await letters.getAttribute('id')) === first], { timeout: 60_000 })
      .toEqual([1, false]);
    await letters.getByRole('button', { name: 'Drop…' }).click();
    await page.getByRole('button', { name: 'Drop', exact: true }).click();
    expect(await textOf(page, '.notice')).toContain('1 event is dropped');
    expect(harm).toEqual([]);
  });

  test('an OOI full of markup and control characters fails, as text on each page, and harms nothing', async () => {
    const { failing } = dev.ready.kat!;
    const organisation = `org${markup.replaceAll(/[^ -~]/g, '')}`;
    const ooi = `URL|internet|javascript:harmed('ran')${markup}`;
    const { page, harm } = await visit('ops-1');
    const id = await looked(dev.ready, async (client) => {
      const [pushed] = await client.push('boefje', [boefjeTask(organisation, ooi, failing)]);
      const task = pushed as { readonly id: string };
      await expect.poll(async () => (await taskOf(client, task.id))?.status, { timeout: 60_000 }).toBe('failed');
      return task.id;
    });
    const asked = new URLSearchParams({ organisation, boefje: failing, ooi }).toString();
    const pages = [
      '/tasks?status=failed',
      `/tasks/${id}`,
      `/why?${asked}`,
      `/organisations/${encodeURIComponent(organisation)}`,
      `/search?${new URLSearchParams({ q: ooi }).toString()}`,
    ];
    for (const path of pages) {
      expect((await page.goto(path))?.status(), path).toBe(200);
      expect(await page.locator('body img, body script, [onerror], a[href^=javascript]').count(), path).toBe(0);
      expect(await page.content(), path).toContain('&lt;img src=x onerror=');
      const read = await page.evaluate<string>('document.body.innerText');
      for (const character of ['\u202E', '\u0007']) expect(read.includes(character), path).toBe(false);
    }
    await page.goto(`/tasks/${id}`);
    await page.locator('#attempts').getByText('what its worker said').click();
    expect(await page.locator('#attempts pre').innerText()).toContain(
      `Starting ${failing} on javascript:harmed('ran')"><img`,
    );
    expect(harm).toEqual([]);
  });

  test('an hour of the last 24 is chosen below its bar and by the slider, on a phone', async () => {
    const { page, harm } = await visit('ops-1');
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto('/organisations');
    await page.getByRole('link', { name: 'the last 24 hours by the hour' }).click();
    const hours = page.getByRole('navigation', { name: 'Hours, UTC' });
    const [chart, choice, pages] = await Promise.all(
      [page.locator('svg.chart'), hours, page.getByRole('navigation', { name: 'Pages' })].map((it) => it.boundingBox()),
    );
    // Each in its place: the hours below the bars, and neither over the other pages.
    expect(choice!.y).toBeGreaterThanOrEqual(chart!.y + chart!.height - 1);
    expect(choice!.y + choice!.height).toBeLessThan(pages!.y);
    expect(await textOf(page, '#hour table')).toContain(dev.ready.kat!.organisations[0]);
    expect(await textOf(page, '#people')).toContain('pause');
    const chosen = () => hours.locator('[aria-current]').getAttribute('title');
    const now = await chosen();
    await hours.getByRole('link').nth(2).click();
    expect(await textOf(page, '#hour')).toContain('No task ended in that hour.');
    expect(await chosen()).not.toBe(now);
    const slider = page.getByRole('slider', { name: 'Hour, UTC' });
    await slider.fill((await slider.getAttribute('max'))!);
    await expect.poll(chosen).toBe(now);
    expect(harm).toEqual([]);
  });

  test('a session that reads sees all and acts on nothing: no button, and what it posts is refused', async () => {
    const { page } = await visit('wall');
    const [organisation] = dev.ready.kat!.organisations as [string];
    for (const path of ['/', '/tasks?status=failed', '/schedules', '/machinery', `/organisations/${organisation}`]) {
      expect((await page.goto(path))?.status(), path).toBe(200);
      expect(await page.locator('#main form[method=post], #main input[type=checkbox]').count(), path).toBe(0);
    }
    const statuses = await page.evaluate<Record<string, number>>(`(async () => {
      const answers = {};
      for (const action of ${JSON.stringify(Object.keys(actions))})
        answers[action] = (await fetch('/do/' + action, { method: 'POST', body: new URLSearchParams({ scheduler: 'boefje' }) })).status;
      return answers;
    })()`);
    expect(statuses).toEqual(Object.fromEntries(Object.keys(actions).map((action) => [action, 403])));
    const pauses = await looked(dev.ready, (client) =>
      client.ctl<{ results: readonly { organisation: string }[] }>('pauses'),
    );
    expect(pauses.results).toMatchObject([{ organisation: 'wrong-scope' }]);
  });

  test('SIGTERM ends all of it, its data stays, and the next start goes on: new objects keep coming', async () => {
    const [organisation] = dev.ready.kat!.organisations as [string];
    const before = await looked(dev.ready, (client) => totals(client, organisation));
    expect(await stop(dev.child)).toBe(0);
    dev = await startDev(data, size, { SCHEDULER_API_TOKENS: lines });
    await looked(dev.ready, async (client) => {
      const since = await totals(client, organisation);
      expect(since).toBeGreaterThanOrEqual(before);
      await expect.poll(() => totals(client, organisation), { timeout: 60_000 }).toBeGreaterThan(since);
    });
    expect(dev.log()).not.toContain('ERROR');
  });
});

async function looked<T>({ nats }: Ready, look: (client: RotaClient) => Promise<T>): Promise<T> {
  const client = await connectRota({ servers: nats, timeoutMs: 60_000 });
  return look(client).finally(() => client.close());
}

/** Tasks of boefjes, whatever their status. */
async function totals(client: RotaClient, organisation: string): Promise<number> {
  const search = { scheduler: 'boefje', organisation, limit: 500 };
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
