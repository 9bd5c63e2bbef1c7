import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { actions } from '../../src/page/actions/actions.ts';
import { noChromium } from '../support/chromium.ts';
import { addOrganisation, boefje } from '../support/kat-world.ts';
import { openStage, type Stage, textOf } from '../support/page-stage.ts';
import { visit } from '../support/visitor.ts';

// A browser on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const axe = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** Ends an attribute, a tag and a script; turns text around, rings, begins a line. */
const markup = `"><img src=x onerror=harmed('ran')><script>harmed('ran')</script><a href="javascript:harmed('ran')">'-->\u202Eevil\u0007`;
const organisation = `org${markup}`;
const plugin = `dns${markup}`;
const ooi = (n: number) => `URL|internet|javascript:harmed('ran')${markup}${n}${'x'.repeat(2_048)}`.slice(0, 2_040);

/** What holds on each page, with data on all of them that means harm. */
describe.skipIf(await noChromium())('every page', () => {
  let stage: Stage;
  /** By what is on it. */
  let paths: Readonly<Record<string, string>>;

  beforeAll(async () => {
    stage = await openStage();
    const { house } = stage;
    addOrganisation(house.world, { id: organisation, plugins: [boefje(plugin)] });
    await stage.push(organisation, [1, 2, 3, 4, 5].map(ooi), plugin);
    await stage.push('harbour', ['Hostname|internet|quay.example', 'Hostname|internet|lock.example']);
    const [failed, cancelled, running] = await stage.pop(organisation, 3, `runner${markup}`);
    await stage.finish(failed!, { code: 'exit', message: markup, detail: `${markup}\n`.repeat(40) });
    await house.client.ctl('change-tasks', { action: 'cancel', ids: [cancelled!.id], why: markup }, { by: markup });
    await house.client.patch({ id: running!.id, lease_id: running!.lease_id, status: 'running' });
    for (const task of await stage.pop('harbour')) await stage.finish(task, 'completed');
    await house.client.ctl('pause', { scheduler: 'boefje', organisation, note: markup }, { by: markup });
    await house.publish('raw_file_received', { organization: organisation, markup: markup.padEnd(4_096, markup) });
    await house.publish('raw_file_received', Buffer.from(markup.padEnd(4_096, markup)));
    const tasks = await house.client.ctl<{ results: { id: string; status: string }[] }>('tasks', { organisation });
    const queued = tasks.results.find(({ status }) => status === 'queued')!;
    const schedules = await house.client.ctl<{ results: { id: string }[] }>('schedules', { organisation });
    const letters = async () => (await house.client.ctl<{ results: unknown[] }>('dead-letters')).results.length;
    await vi.waitFor(async () => expect(await letters()).toBe(2), { timeout: 60_000, interval: 100 });
    const of = (path: string, query: Readonly<Record<string, string>>) =>
      `${path}?${new URLSearchParams(query).toString()}`;
    paths = {
      overview: '/',
      'a screen on a wall': '/?wall=1',
      why: '/why',
      'why of an OOI': of('/why', { organisation, boefje: plugin, ooi: ooi(1) }),
      'why of a task': of('/why', { id: queued.id }),
      tasks: '/tasks',
      'tasks by filter': of('/tasks', { organisation, plugin, ooi: markup.slice(0, 100) }),
      'no tasks': of('/tasks', { organisation: markup, status: 'failed' }),
      'failed task': `/tasks/${failed!.id}`,
      'cancelled task': `/tasks/${cancelled!.id}`,
      'running task': `/tasks/${running!.id}`,
      'queued task': `/tasks/${queued.id}`,
      organisations: '/organisations',
      'the last 24 hours': of('/organisations', { at: new Date().toISOString() }),
      organisation: `/organisations/${encodeURIComponent(organisation)}`,
      schedules: '/schedules?state=all',
      'schedules by filter': of('/schedules', { organisation: markup, boefje: markup }),
      schedule: `/schedules/${schedules.results[0]!.id}`,
      machinery: '/machinery',
      search: of('/search', { q: markup }),
      'bulk job': await bulkJob(),
    };
  });
  afterAll(() => stage?.stop());

  /** Cancels what is queued of an organisation of such a name. @returns the address of the job */
  async function bulkJob(): Promise<string> {
    const ops = await visit(stage.url, stage.tokens['ops-1']);
    const gone = `gone${markup}`;
    await stage.push(gone, [ooi(6)], plugin);
    const fields = { organisation: gone, status: 'queued', made_until: new Date(Date.now() + 60_000).toISOString() };
    const asked = await ops.post('/do/cancel-all', Object.entries(fields));
    const { location } = await ops.confirm(asked, { note: markup });
    return location!;
  }

  const count = (page: Page, selector: string) => page.locator(selector).count();

  test('shows what is hostile as text: no script of it runs, and none is tried', async () => {
    const { page, harm } = await stage.visit('ops-1');
    const isWithout = new Set(['why', 'a screen on a wall']);
    const examine = async (name: string) => {
      expect(await count(page, 'body img, body script, [onerror], a[href^=javascript]'), name).toBe(0);
      const protocols = await page.evaluate<string[]>('[...document.links].map(({ protocol }) => protocol)');
      expect(new Set(protocols), name).toEqual(new Set(['http:']));
      // Text and titles, as they are read; hidden fields of forms have the very characters.
      const read = await page.evaluate<string>(`document.body.innerText + document.title +
        [...document.querySelectorAll('[title], [aria-label], [value]:not([type=hidden])')].map((it) => it.title + it.ariaLabel + it.value)`);
      for (const character of ['\u202E', '\u0007']) expect(read.includes(character), name).toBe(false);
      expect(harm, name).toEqual([]);
      return page.content();
    };
    for (const [name, path] of Object.entries(paths)) {
      expect((await page.goto(path))?.status(), name).toBe(200);
      const content = await examine(name);
      if (!isWithout.has(name)) expect(content, name).toContain('&lt;img src=x onerror=');
    }
    // What comes live goes another way into the page.
    await page.goto('/tasks');
    await stage.push(organisation, [ooi(7)], plugin);
    await expect.poll(() => count(page, '#newer a')).toBe(1);
    await page.goto('/');
    const held = () => textOf(page, '#work-boefje td[data-head="Held"]');
    const before = await held();
    await stage.push(organisation, [ooi(8)], plugin);
    await expect.poll(held).not.toBe(before);
    await examine('overview, live');
    // And what is asked before an action.
    await page.locator('#verdict').getByRole('button', { name: 'Resume' }).click();
    expect(await textOf(page, '.notice')).toContain('resumed');
    await examine('notice');
    await page.locator('.notice').getByRole('button', { name: 'Undo' }).click();
    await examine('confirmation of a pause');
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.goto(paths['organisation']!);
    await page.getByRole('button', { name: 'Purge…' }).click();
    await examine('confirmation of a purge');
  });

  test('has nothing to act with for who may only look, and what is posted all the same is refused', async () => {
    const { page } = await stage.visit('wall');
    for (const [name, path] of Object.entries(paths)) {
      expect((await page.goto(path))?.status(), name).toBe(200);
      expect(await count(page, 'form[method=post] button, #main input[type=checkbox], [formaction]'), name).toBe(
        await count(page, 'header form[method=post] button'),
      );
    }
    await page.goto('/');
    const statuses = await page.evaluate<Record<string, number>>(`(async () => {
      const answers = {};
      for (const action of ${JSON.stringify(Object.keys(actions))})
        answers[action] = (await fetch('/do/' + action, { method: 'POST', body: new URLSearchParams({ ids: 'x' }) })).status;
      return answers;
    })()`);
    expect(statuses).toEqual(Object.fromEntries(Object.keys(actions).map((action) => [action, 403])));
    const { results } = await stage.house.client.ctl<{ results: { organisation: string }[] }>('pauses');
    expect(results).toMatchObject([{ organisation }]);
  });

  test.each([1280, 390])('meets WCAG 2.2 AA at %i px, light and dark, and does not scroll sideways', async (width) => {
    const { page } = await stage.visit('ops-1', { viewport: { width, height: 844 } });
    const found: string[] = [];
    const examine = async (name: string) => {
      for (const details of await page.locator('details:not([open]) > summary').all())
        if (await details.isVisible()) await details.click();
      if ((await page.evaluate<number>('document.documentElement.scrollWidth')) > width)
        found.push(`${name}: sideways`);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        // The other scheme is other colours, and nothing else.
        const only =
          colorScheme === 'light' ? { type: 'tag', values: rules } : { type: 'rule', values: ['color-contrast'] };
        await page.evaluate(`globalThis.axe === undefined && (() => { ${axe} })()`);
        const violations = await page.evaluate<string[]>(`axe.run({ runOnly: ${JSON.stringify(only)} })
          .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 200)).join(' ')))`);
        found.push(...violations.map((violation) => `${name}, ${colorScheme}: ${violation}`));
      }
    };
    for (const [name, path] of Object.entries({ ...paths, 'not found': '/nowhere' })) {
      await page.goto(path);
      await examine(name);
    }
    await page.goto(paths['organisation']!);
    await page.getByRole('button', { name: 'Purge…' }).click();
    await examine('confirmation');
    await page.goto('/machinery');
    await page.getByRole('button', { name: 'Rank anew…' }).first().click();
    await examine('preview of a ranker');
    await page.context().clearCookies();
    await page.goto('/login');
    await examine('login');
    expect(found).toEqual([]);
  });
});
