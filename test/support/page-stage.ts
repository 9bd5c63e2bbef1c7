import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import type { TaskPush } from '../../src/nats/client.ts';
import type { LeasedTask } from '../../src/tasks/task.ts';
import { startBrowser } from './chromium.ts';
import { logIn, tokensFor } from './page.ts';
import { type House, openHouse, type TestRota } from './rota.ts';
import { boefjeTask } from './wire.ts';

const { lines, of: tokens } = tokensFor({ 'ops-1': 'operate', wall: 'read' });

/** One browser before one whole Rota, with workers that the test plays. */
export interface Stage {
  readonly house: House;
  readonly rota: TestRota;
  readonly browser: Browser;
  /** Where the page is. */
  readonly url: string;
  readonly tokens: typeof tokens;
  /** Logged in, in a context of its own that ends with the test. */
  visit(who: keyof typeof tokens, options?: BrowserContextOptions): Promise<Watched>;
  /** @returns ids, in their order */
  push(organisation: string, oois: readonly string[], boefje?: string): Promise<readonly string[]>;
  /** As a worker over NATS does. */
  pop(organisation: string, limit?: number, worker?: string): Promise<readonly LeasedTask[]>;
  finish(task: LeasedTask, as: 'completed' | TaskFailure): Promise<void>;
  stop(): Promise<void>;
}

interface TaskFailure {
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
}

export interface Watched {
  readonly page: Page;
  /** Scripts that ran or were refused, dialogs, errors of scripts: all that a page must not have. */
  readonly harm: readonly string[];
}

export async function openStage(options: { readonly prefix?: string } = {}): Promise<Stage> {
  const house = await openHouse(options);
  const [rota, browser] = await Promise.all([
    house.start({ environment: { SCHEDULER_API_TOKENS: lines, SCHEDULER_PAGE_PORT: '0' } }),
    startBrowser(),
  ]);
  const url = rota.page!;
  const sessions = new Map<string, Promise<string>>();
  /** One log-in each: an address has twenty a minute. */
  const sessionOf = (who: keyof typeof tokens) => {
    const begun = sessions.get(who) ?? logIn(url, tokens[who]);
    sessions.set(who, begun);
    return begun;
  };
  return {
    house,
    rota,
    browser,
    url,
    tokens,
    visit: async (who, visitOptions) => openWatched(browser, url, await sessionOf(who), visitOptions),
    async push(organisation, oois, boefje) {
      const ids: string[] = [];
      for (let from = 0; from < oois.length; from += 500) {
        const batch: TaskPush[] = oois.slice(from, from + 500).map((ooi) => boefjeTask(organisation, ooi, boefje));
        for (const item of await house.client.push('boefje', batch)) {
          if (!('id' in item)) throw new Error(JSON.stringify(item));
          ids.push(item.id);
        }
      }
      return ids;
    },
    async pop(organisation, limit = 1, worker = 'runner-17') {
      const filters = { filters: [{ column: 'organisation', operator: 'eq' as const, value: organisation }] };
      return house.client.pop('boefje', { limit, filters, worker, lease_ms: 60_000 });
    },
    async finish({ id, lease_id }, as) {
      await house.client.patch({ id, lease_id, status: 'running' });
      if (as === 'completed') await house.client.patch({ id, lease_id, status: as });
      else await house.client.patch({ id, lease_id, status: 'failed', error: as });
    },
    async stop() {
      await browser.close();
      await house.stop();
    },
  };
}

/** @param session cookie, as `name=value` */
export async function openWatched(
  browser: Browser,
  url: string,
  session: string,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({ baseURL: url, ...options });
  onTestFinished(() => context.close());
  const [name = '', value = ''] = session.split(/=(.*)/s);
  await context.addCookies([{ name, value, url }]);
  const harm: string[] = [];
  await context.exposeFunction('harmed', (what: string) => harm.push(what));
  await context.addInitScript(
    `addEventListener('securitypolicyviolation', (event) => harmed(event.violatedDirective + ' ' + event.blockedURI))`,
  );
  const page = await context.newPage();
  page.on('dialog', (dialog) => {
    harm.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => harm.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') harm.push(message.text());
  });
  return { page, harm };
}

/** Of a part of the page, as it is read. */
export async function textOf(page: Page, selector: string): Promise<string> {
  return ((await page.locator(selector).first().textContent()) ?? '').replaceAll(/\s+/g, ' ').trim();
}
