import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { next } from '../../src/telemetry/events.ts';
import { noChromium } from '../support/chromium.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { openStage, type Stage, textOf } from '../support/page-stage.ts';

// A browser on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const oois = (count: number, domain: string) =>
  Array.from({ length: count }, (_none, n) => `Hostname|internet|host-${n}.${domain}`);

/** What people come to the page for, in a browser on a whole Rota: real Postgres, NATS and RabbitMQ, and a simulated KAT. */
describe.skipIf(await noChromium())('on the page, an operator', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage?.stop());

  const nav = (page: Page, name: string) => page.getByRole('navigation').getByRole('link', { name, exact: true });

  test('sees a boefje that fails, and reads its error on the page of the task', async () => {
    const error = { code: 'exit', message: 'nmap: no route to host', detail: 'Starting Nmap 7.95\nno route' };
    for (let run = 0; run < 3; run += 1) {
      await stage.push('harbour', oois(1, 'harbour.example'), 'nmap');
      for (const task of await stage.pop('harbour')) await stage.finish(task, error);
    }
    const { page, harm } = await stage.visit('ops-1');
    await page.goto('/');
    await nav(page, 'Tasks').click();
    await page.locator('#statuses').getByRole('link', { name: 'failed' }).click();
    const row = page.locator('#rows tbody tr').filter({ hasText: 'harbour' }).first();
    expect(await row.textContent()).toContain('no route to host · 3 failures in a row');
    await row.getByRole('link', { name: /host-0\.harbour/ }).click();
    expect(await textOf(page, '#verdict')).toMatch(
      /✖ failed in its 1st attempt: exit: nmap: no route to host nmap on Hostname\|internet\|host-0\.harbour\.example · harbour ! Its kind fails: 3 in a row since/,
    );
    const attempt = page.locator('#attempts tbody tr');
    expect(await attempt.textContent()).toContain('runner-17');
    await attempt.getByText('what its worker said').click();
    expect(await attempt.locator('pre').innerText()).toContain('Starting Nmap 7.95\nno route');
    expect(harm).toEqual([]);
  });

  test('finds that a pause holds a boefje, resumes it there, and a worker gets the task', async () => {
    const host = hostname('quay.example');
    const { id: organisation } = addOrganisation(stage.house.world, { plugins: [boefje('dns')], objects: [host] });
    await stage.house.client.ctl('pause', { scheduler: 'boefje', organisation, note: 'migration' });
    const queued = next('tasks.queued');
    await stage.house.mutate(organisation, host);
    await queued;
    const { page, harm } = await stage.visit('ops-1');
    await page.goto('/');
    expect(await textOf(page, '#verdict')).toMatch(`boefje, ${organisation}, every boefje paused by`);
    await nav(page, 'Why').click();
    await page.getByRole('combobox', { name: 'Organisation' }).fill(organisation);
    await page.getByRole('combobox', { name: 'Boefje' }).fill('dns');
    await page.getByLabel('OOI, the whole reference').fill(host.reference);
    await page.getByRole('button', { name: 'Explain' }).click();
    expect(await textOf(page, '#verdict')).toMatch(/Queued, paused since .*migration/);
    expect(await stage.pop(organisation)).toEqual([]);
    await page.locator('#verdict').getByRole('button', { name: 'Resume' }).click();
    expect(await textOf(page, '.notice')).toContain('resumed, 1 tasks may be handed out again');
    expect(await textOf(page, '#verdict')).toContain('Queued since');
    const popped = await stage.pop(organisation);
    expect(popped).toMatchObject([{ organisation }]);
    await stage.finish(popped[0]!, 'completed');
    expect(harm).toEqual([]);
  });

  test('reads that a clearance is too low, and what to do', async () => {
    const host = hostname('lock.example', 1);
    const plugins = [boefje('nmap', { scan_level: 3 })];
    const { id: organisation } = addOrganisation(stage.house.world, { plugins, objects: [host] });
    const { page } = await stage.visit('ops-1');
    await page.goto(`/why?${new URLSearchParams({ organisation, boefje: 'nmap', ooi: host.reference }).toString()}`);
    expect(await textOf(page, '#verdict')).toMatch(
      /Blocked.*its clearance is too low.*Do: raise the clearance of the OOI in Rocky/i,
    );
    expect(await page.locator('#verdict button').count()).toBe(0);
  });

  test('cancels all 3 000 of an organisation: the number typed, progress seen, the end said', async () => {
    const ids = await stage.push('delta', oois(3_000, 'delta.example'));
    const { page, harm } = await stage.visit('ops-1');
    await page.goto('/tasks?organisation=delta&status=queued');
    await page.getByRole('button', { name: 'Cancel all…' }).click();
    expect(await page.locator('h1').textContent()).toBe('Cancel 3,000 queued tasks of delta?');
    await page.getByLabel('Type 3000').fill('300');
    await page.getByLabel('Why (for others)').fill('wrong scope');
    await page.getByRole('button', { name: 'Cancel 3,000' }).click();
    expect(await textOf(page, '#confirm')).toContain('that was something else');
    // The third batch waits for this task, whatever the machine’s speed.
    const release = await locked(ids[1_800]!);
    await page.getByLabel('Type 3000').fill('3000');
    await page.getByRole('button', { name: 'Cancel 3,000' }).click();
    await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
    await page.evaluate('globalThis.loadedOnce = true');
    const progress = page.locator('#progress progress');
    await expect.poll(() => progress.getAttribute('value')).toBe('1000');
    expect(await textOf(page, '#progress [data-say]')).toBe('▸ runs: Cancel the queued tasks of delta');
    await release();
    await expect.poll(() => textOf(page, '#progress [data-say]')).toContain('✔ done:');
    expect(await progress.getAttribute('value')).toBe('3000');
    expect(await page.evaluate('globalThis.loadedOnce')).toBe(true);
    await page.getByRole('link', { name: 'The tasks that it is about' }).click();
    expect(await textOf(page, '#rows')).toContain('No queued tasks');
    expect(await stage.pop('delta')).toEqual([]);
    expect(harm).toEqual([]);
  });

  /** A transaction that holds a task, so that whoever changes it waits. @returns what ends it */
  async function locked(id: string): Promise<() => Promise<void>> {
    const { promise: until, resolve: end } = Promise.withResolvers<void>();
    const { promise: held, resolve: hold } = Promise.withResolvers<void>();
    const holding = stage.house.sql.begin(async (client) => {
      await client`SELECT FROM tasks WHERE id = ${id} FOR UPDATE`;
      hold();
      await until;
    });
    await held;
    return async () => {
      end();
      await holding;
    };
  }

  test('sees a raw file’s event that was given up, and has it tried again', async () => {
    const { page, harm } = await stage.visit('ops-1');
    await page.goto('/');
    await stage.house.publish('raw_file_received', { event_id: 'raw_file_received', mark: 'broken-event' });
    await expect.poll(() => textOf(page, '#verdict')).toContain('1 given up');
    await nav(page, 'Machinery').click();
    const letters = page.locator('#letters tbody tr');
    await expect.poll(() => letters.count()).toBe(1);
    const first = await letters.getAttribute('id');
    await letters.getByText('Show body').click();
    expect(await letters.locator('pre').innerText()).toContain('"mark": "broken-event"');
    await letters.getByRole('button', { name: 'Requeue' }).click();
    expect(await textOf(page, '.notice')).toContain('1 event is tried again');
    // It is still broken: given up once more, as another letter, which comes up by itself.
    await expect
      .poll(async () => [await letters.count(), (await letters.getAttribute('id')) === first])
      .toEqual([1, false]);
    await letters.getByRole('button', { name: 'Drop…' }).click();
    await page.getByRole('button', { name: 'Drop', exact: true }).click();
    expect(await textOf(page, '.notice')).toContain('1 event is dropped');
    expect(await stage.house.takeDead('raw_file_received')).toBeNull();
    expect(harm).toEqual([]);
  });

  test('watches a burst arrive without a reload, and rows stand still under a ticked box', async () => {
    const hosts = Array.from({ length: 60 }, (_none, n) => hostname(`burst-${n}.example`));
    const { id: organisation } = addOrganisation(stage.house.world, { plugins: [boefje('dns')], objects: hosts });
    const { page, harm } = await stage.visit('ops-1');
    await page.goto('/');
    await page.evaluate('globalThis.loadedOnce = true');
    const waiting = async () =>
      Number(await page.locator('#work-boefje td[data-head="Waiting"] data').getAttribute('value'));
    const before = await waiting();
    const arrive = (some: readonly (typeof hosts)[number][]) =>
      Promise.all(some.map((host) => stage.house.mutate(organisation, host)));
    await arrive(hosts.slice(0, 40));
    await expect.poll(waiting).toBe(before + 40);
    await expect.poll(() => textOf(page, '#waits')).toContain(organisation);
    const out = () => textOf(page, `#waits tr:has-text("${organisation}") td[data-head="Out"]`);
    expect(await out()).toBe('–');
    for (const task of await stage.pop(organisation)) await stage.finish(task, 'completed');
    await expect.poll(out).toMatch(/^\d/);
    expect(await page.evaluate('globalThis.loadedOnce')).toBe(true);

    await page.goto(`/tasks?organisation=${organisation}`);
    const rows = () => page.evaluate<string[]>(`[...document.querySelectorAll('#rows tbody tr')].map(({ id }) => id)`);
    const shown = await rows();
    const third = page.locator('#rows tbody tr').nth(2);
    await third.getByRole('checkbox').check();
    const place = await third.boundingBox();
    await arrive(hosts.slice(40));
    await expect.poll(() => page.locator('#fresh').textContent()).toContain('changes wait');
    expect(await rows()).toEqual(shown);
    expect(await third.boundingBox()).toEqual(place);
    expect(await third.getByRole('checkbox').isChecked()).toBe(true);
    await third.getByRole('checkbox').uncheck();
    await expect.poll(() => page.locator('#newer').textContent()).toMatch(/20\s*newer/);
    expect(await rows()).toEqual(shown);
    await page.locator('#newer a').click();
    expect(await rows()).not.toEqual(shown);
    expect(harm).toEqual([]);
  });

  test('needs no mouse: skips to the content, searches, goes to the tasks, ticks one and retries it', async () => {
    const [, second] = await stage.push('lagoon', oois(3, 'lagoon.example'));
    for (const task of await stage.pop('lagoon', 3)) await stage.finish(task, { code: 'exit', message: 'exit code 1' });
    const { page, harm } = await stage.visit('ops-1');
    const focused = (what: string) => page.evaluate<string | boolean>(`document.activeElement.${what}`);
    await page.goto('/');
    await page.keyboard.press('Tab');
    expect(await focused('textContent')).toBe('To the content');
    await page.keyboard.press('Enter');
    expect(await focused('id')).toBe('main');
    await page.keyboard.press('/');
    expect(await focused('name')).toBe('q');
    await page.keyboard.type('Hostname|internet|host-1.lagoon.example');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/tasks\?ooi=/);
    expect(await page.locator('#rows tbody tr').getAttribute('id')).toBe(`t-${second}`);
    await page.keyboard.press('g');
    await page.keyboard.press('t');
    await page.waitForURL('**/tasks');
    await page.goto('/tasks?organisation=lagoon&status=failed');
    const middle = await page.locator('#rows tbody tr').nth(1).getAttribute('id');
    for (const key of ['j', 'j', 'j', 'k', 'x']) await page.keyboard.press(key);
    expect(await page.locator('#rows tr:has(input:checked)').getAttribute('id')).toBe(middle);
    for (let pressed = 0; pressed < 30 && (await focused('textContent')) !== 'Retry'; pressed += 1)
      await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await expect.poll(() => textOf(page, '.notice')).toContain('1 task queued again');
    expect(await stage.pop('lagoon', 3)).toMatchObject([{ id: middle!.slice(2) }]);
    expect(harm).toEqual([]);
  });

  test('pauses after a confirmation and undoes it, where no script runs', async () => {
    await stage.push('island', oois(2, 'island.example'));
    const { page } = await stage.visit('ops-1', { javaScriptEnabled: false });
    await page.goto('/organisations/island');
    await page.locator('#pauses').getByRole('button', { name: /Pause/ }).first().click();
    expect(await page.locator('h1').textContent()).toBe('Pause boefje, island, every boefje?');
    expect(await textOf(page, '#confirm')).toContain('Holds 2 tasks that wait now');
    await page.getByLabel('Why (for others)').fill('maintenance');
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    expect(await textOf(page, '.notice')).toContain('paused, 2 tasks are held');
    expect(await textOf(page, '#pauses')).toContain('maintenance');
    expect(await stage.pop('island')).toEqual([]);
    await page.locator('.notice').getByRole('button', { name: 'Undo' }).click();
    expect(await textOf(page, '.notice')).toContain('resumed, 2 tasks may be handed out again');
    expect(await stage.pop('island', 2)).toHaveLength(2);
  });
});
