import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { newToken } from '../../src/api-tokens.ts';
import { next } from '../../src/telemetry/events.ts';
import { noChromium, startBrowser } from '../support/chromium.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { shoot } from '../support/screenshots.ts';

// A browser on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const axe = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'));

describe.skipIf(await noChromium())('why, in a browser', () => {
  const operator = newToken('ops-1', 'operate');
  const host = hostname('"><img src=x onerror=alert(1)>.nl');
  let browser: Browser;
  let house: House;
  let rota: TestRota;
  let organisation: string;

  beforeAll(async () => {
    house = await openHouse();
    rota = await house.start({ environment: { SCHEDULER_API_TOKENS: operator.line, SCHEDULER_PAGE_PORT: '0' } });
    organisation = addOrganisation(house.world, { plugins: [boefje('dns')], objects: [host] }).id;
    const queued = next('tasks.queued');
    await house.mutate(organisation, host);
    await queued;
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await house.stop();
  });

  /** Logged in, and asked by the form. */
  async function asked(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    const context = await browser.newContext(options);
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.on('dialog', () => expect.unreachable('a script of the OOI ran'));
    await page.goto(`${rota.page}/login`);
    await page.getByLabel('Token').fill(operator.token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('link', { name: 'Why' }).click();
    await page.getByRole('combobox', { name: 'Organisation' }).fill(organisation);
    await page.getByRole('combobox', { name: 'Boefje' }).fill('dns');
    await page.getByLabel('OOI, the whole reference').fill(host.reference);
    await page.getByRole('button', { name: 'Explain' }).click();
    return page;
  }

  test('why a boefje does not run is read, and what holds it is ended, without a script of the page', async () => {
    await house.client.ctl('pause', { scheduler: 'boefje', organisation, note: 'migration' });
    const page = await asked({ javaScriptEnabled: false });
    const verdict = page.locator('#verdict');
    expect(await verdict.textContent()).toMatch(/Queued, paused since .*migration/s);
    await shoot(page, 'why');
    await verdict.getByRole('button', { name: 'Resume' }).click();
    expect(await page.locator('.notice').textContent()).toContain('resumed, 1 tasks may be handed out again');
    expect(await verdict.textContent()).toContain('Queued since');
  });

  test.each([
    ['light', 1280],
    ['dark', 390],
  ] as const)('nothing of it is out of reach, in %s at %i px', async (colorScheme, width) => {
    // The page's policy lets no foreign script in; the examination is one.
    const page = await asked({ colorScheme, viewport: { width, height: 800 }, bypassCSP: true });
    await page.getByText('About a task, a schedule or a raw file').click();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    await page.addScriptTag({ content: await readFile(axe, 'utf8') });
    const found = await page.evaluate<string[]>(`axe.run('#main').then(({ violations }) =>
      violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`);
    expect(found).toEqual([]);
  });
});
