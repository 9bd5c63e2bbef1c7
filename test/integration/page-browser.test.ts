import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../../src/embedded/process.ts';
import { type Html, html } from '../../src/page/html.ts';
import { documentOf } from '../../src/page/layout.ts';
import { timeOf } from '../../src/page/pieces.ts';
import { noChromium, startBrowser } from '../support/chromium.ts';
import { startRotaAtHand } from '../support/cli.ts';
import { logIn, tokensFor } from '../support/page.ts';

vi.setConfig({ testTimeout: 120_000 });

const browserFiles = new URL('../../src/page/browser/', import.meta.url);
const morphing = fileURLToPath(import.meta.resolve('idiomorph/dist/idiomorph.min.js'));
const types = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' } as const;

describe.skipIf(await noChromium())('in a browser, the page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());

  /** The page’s own document and scripts, and events that the test sends. */
  async function shown(section: (update: number) => Html, now = Date.now()) {
    const streams = new Set<ServerResponse>();
    const server = createServer(async (request, response) => {
      const path = request.url!.split('?')[0]!;
      if (path === '/live') {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': rota\n\n');
        streams.add(response);
        response.on('close', () => streams.delete(response));
      } else if (path.startsWith('/assets/')) {
        const name = path.slice('/assets/'.length);
        const type = types[name.split('.').at(-1) as keyof typeof types];
        response.writeHead(200, { 'content-type': type });
        response.end(await readFile(name === 'idiomorph.js' ? morphing : new URL(name, browserFiles)));
      } else {
        const frame = { assets: '/assets', place: 'test', path: '/', at: '/', who: null, mayLogOut: false } as const;
        const rest = { theme: 'auto', wall: false, now, notice: null, jobs: [] } as const;
        const content = { title: 'Test', sections: { part: section(0) }, liveMs: 1_000 };
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
        response.end(String(documentOf(content, { ...frame, ...rest })));
      }
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const page = await browser.newPage();
    onTestFinished(async () => {
      await page.close();
      server.closeAllConnections();
      server.close();
    });
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await expect.poll(() => streams.size).toBe(1);
    const send = (update: number) => {
      const data = JSON.stringify({ now, sections: { part: String(section(update)) } });
      for (const stream of streams) stream.write(`event: live\ndata: ${data}\n\n`);
    };
    const fail = () => {
      for (const stream of streams) stream.write(`event: stale\ndata: ${JSON.stringify({ now })}\n\n`);
    };
    return { page, send, fail, streams };
  }

  const rows = (update: number) =>
    html`<p id="update">${update}</p>
      <details>
        <summary>More</summary>
        <p>${update}</p>
      </details>
      <input type="text" id="typed" />
      <table>
        <tbody>
          ${Array.from(
            { length: 100 },
            (_, at) =>
              html`<tr id="row-${(at + update) % 110}">
                <td>${at * update}</td>
              </tr>`,
          )}
        </tbody>
      </table>`;

  test('keeps its heap over 2 000 updates', async () => {
    const { page, send } = await shown(rows);
    const session = await page.context().newCDPSession(page);
    const heap = async () => {
      await session.send('HeapProfiler.collectGarbage');
      return (await session.send('Runtime.getHeapUsage')).usedSize;
    };
    const reach = async (update: number) => {
      send(update);
      await page.waitForFunction(`document.getElementById('update')?.textContent === '${update}'`);
    };
    for (let update = 1; update <= 100; update++) await reach(update);
    const before = await heap();
    for (let update = 101; update <= 2_100; update++) {
      if (update % 20 === 0) await reach(update);
      else send(update);
    }
    expect((await heap()) - before).toBeLessThan(5_000_000);
  });

  test('leaves what a person does: open parts stay open, and nothing moves while a field is in use', async () => {
    const { page, send } = await shown(rows);
    await page.locator('summary').click();
    send(1);
    await expect.poll(() => page.locator('#update').textContent()).toBe('1');
    expect(await page.locator('details').getAttribute('open')).not.toBeNull();
    await page.locator('#typed').fill('half a wo');
    send(2);
    await expect.poll(() => page.locator('#fresh').textContent()).toContain('changes wait');
    expect(await page.locator('#update').textContent()).toBe('1');
    expect(await page.evaluate('document.activeElement.id')).toBe('typed');
    await page.locator('h1').click();
    await page.evaluate('document.activeElement.blur()');
    await expect.poll(() => page.locator('#update').textContent()).toBe('2');
    expect(await page.locator('#typed').inputValue()).toBe('half a wo');
  });

  test('stands still while a row is ticked', async () => {
    const ticks = (update: number) =>
      html`<p id="update">${update}</p>
        <input type="checkbox" name="id" value="1" />`;
    const { page, send } = await shown(ticks);
    await page.locator('#live input').check();
    send(1);
    await expect.poll(() => page.locator('#fresh').textContent()).toContain('changes wait');
    expect(await page.locator('#live input').isChecked()).toBe(true);
    await page.locator('#live input').uncheck();
    await expect.poll(() => page.locator('#update').textContent()).toBe('1');
  });

  test('says at once that a look failed, and that the next one did not', async () => {
    const { page, send, fail } = await shown(rows);
    const isOld = () => page.evaluate(`document.body.classList.contains('old')`);
    send(1);
    await expect.poll(() => page.locator('#fresh').getAttribute('class')).toBe('fresh live');
    fail();
    await expect.poll(() => page.locator('#fresh').textContent(), { timeout: 3_000 }).toMatch(/failed: from \ds ago/);
    expect(await isOld()).toBe(true);
    send(2);
    await expect.poll(() => page.locator('#fresh').getAttribute('class')).toBe('fresh live');
    expect(await isOld()).toBe(false);
  });

  test('tells ages by the server’s clock, whatever the browser’s says', async () => {
    const now = Date.now() + 60_000;
    const at = new Date(now - 5_000).toISOString();
    const { page } = await shown(() => html`${timeOf(at, now)}`, now);
    await expect.poll(() => page.locator('time').textContent()).toMatch(/^(?:[6-9]|1\d)s ago$/);
  });

  test('has no stream while it is hidden, and one as it comes back', async () => {
    const { page, streams, send } = await shown(rows);
    const hide = (hidden: boolean) =>
      page.evaluate(
        `Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${hidden} }); document.dispatchEvent(new Event('visibilitychange'))`,
      );
    await hide(true);
    await expect.poll(() => streams.size).toBe(0);
    await hide(false);
    await expect.poll(() => streams.size).toBe(1);
    send(7);
    await expect.poll(() => page.locator('#update').textContent()).toBe('7');
  });

  describe('of a supervisor', () => {
    const { lines, of } = tokensFor({ wall: 'read' });

    async function atHand() {
      const port = String(await freePort());
      const hand = await startRotaAtHand({
        SCHEDULER_PAGE_PORT: port,
        SCHEDULER_API_TOKENS: lines,
        SCHEDULER_PAGE_SECRET: 'a secret that all supervisors share',
      });
      const context = await browser.newContext();
      onTestFinished(async () => {
        await context.close();
        await hand.stop();
      });
      const url = hand.rota.page!;
      const [name = '', value = ''] = (await logIn(url, of.wall)).split('=');
      await context.addCookies([{ name, value, url }]);
      return { hand, context, url };
    }

    const isLive = (page: Page) => page.locator('#fresh').getAttribute('class');

    test('comes back to life with it, without being loaded again', async () => {
      const { hand, context, url } = await atHand();
      const page = await context.newPage();
      await page.goto(`${url}/machinery`);
      await page.evaluate('globalThis.loadedOnce = true');
      const [started] = await hand.client.instances();
      await hand.rota.drain();
      const next = await hand.another();
      expect(next.page).toBe(url);
      const [again] = await hand.client.instances();
      expect(again).not.toBe(started);
      await expect.poll(() => page.locator('#supervisors').textContent()).toContain(again!);
      expect(await isLive(page)).toBe('fresh live');
      expect(await page.evaluate('globalThis.loadedOnce')).toBe(true);
    });

    test('is in seven tabs, each live or asking again, and any of them still loads another page', async () => {
      const { context, url } = await atHand();
      const tabs = await Promise.all(Array.from({ length: 7 }, () => context.newPage()));
      for (const tab of tabs) await tab.goto(url);
      await expect
        .poll(() => Promise.all(tabs.map((tab) => isLive(tab))), { timeout: 60_000 })
        .toEqual(tabs.map(() => 'fresh live'));
      const heard = (tab: Page) => tab.locator('[data-fresh]').textContent();
      const before = await Promise.all(tabs.map(heard));
      await expect.poll(async () => (await Promise.all(tabs.map(heard))).every((at, i) => at !== before[i])).toBe(true);
      await tabs[6]!.goto(`${url}/machinery`, { timeout: 10_000 });
      expect(await tabs[6]!.title()).toContain('Machinery');
    });
  });
});
