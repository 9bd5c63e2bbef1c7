import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { next } from '../../src/telemetry/events.ts';
import { noChromium } from '../support/chromium.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { openStage, type Stage, textOf } from '../support/page-stage.ts';
import { screenshotsAreWanted, shoot } from '../support/screenshots.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const hosts = (count: number, domain: string) =>
  Array.from({ length: count }, (_none, n) => `Hostname|internet|www-${n}.${domain}`);

/** The images of README.md and docs/page.md: a place at work, with one thing wrong and one held. */
describe.skipIf(!screenshotsAreWanted() || (await noChromium()))('screenshots', () => {
  let stage: Stage;
  let failed = '';
  let working: Promise<void>;
  let isOver = false;
  const refused = hostname('intranet.westbridge.example', 1);

  beforeAll(async () => {
    stage = await openStage({ prefix: 'production' });
    const { house } = stage;
    addOrganisation(house.world, {
      id: 'westbridge',
      plugins: [boefje('nmap', { scan_level: 3 })],
      objects: [refused],
    });
    const waiting = {
      northfield: 900,
      westbridge: 420,
      'port-authority': 260,
      'water-board': 140,
      'harbour-museum': 35,
    };
    for (const [organisation, count] of Object.entries(waiting))
      await stage.push(organisation, hosts(count, `${organisation}.example`), 'dns-records');
    for (let run = 0; run < 3; run += 1) {
      await stage.push('westbridge', ['Hostname|internet|mail.westbridge.example'], 'ssl-certificates');
      const filters = {
        filters: [{ column: 'data', field: 'boefje__id', operator: 'eq' as const, value: 'ssl-certificates' }],
      };
      const [task] = await house.client.pop('boefje', { filters, worker: 'runner-ams-2', lease_ms: 60_000 });
      failed = task!.id;
      await stage.finish(task!, {
        code: 'exit',
        message: 'exit status 1: connection to mail.westbridge.example:443 timed out',
        detail:
          'openssl s_client -connect mail.westbridge.example:443\nBIO_connect: Connection timed out\nconnect:errno=110',
      });
    }
    await house.client.ctl(
      'pause',
      { scheduler: 'boefje', organisation: 'port-authority', note: 'maintenance window until 18:00' },
      { by: 'ops-1' },
    );
    await house.client.push('report', {
      organisation: 'northfield',
      data: { organisation_id: 'northfield', report_recipe_id: '5e1f6d5c-2d63-4b8c-8d0e-6a5b7a6d1f10' },
    });
    const letter = next('event.dead-lettered');
    await house.publish('raw_file_received', { event_id: 'raw_file_received', organization: 'northfield' });
    await letter;
    await house.sql`INSERT INTO task_counts (scheduler, organisation, status, hour, count)
      SELECT 'boefje', organisation, status::taskstatus, date_trunc('hour', now()) - hours * interval '1 hour', n
      FROM generate_series(1, 23) hours, (VALUES ('northfield', 240), ('westbridge', 130), ('water-board', 60)) of (organisation, most),
      LATERAL (VALUES ('COMPLETED', most - (hours * 37) % (most / 2)), ('FAILED', (hours * 5) % 9)) counted (status, n)`;
    working = work();
  });
  afterAll(async () => {
    isOver = true;
    await working;
    await stage.stop();
  });

  /** As workers do, some tasks a second; each has one in hand meanwhile. */
  async function work(): Promise<void> {
    for (let turn = 0; !isOver; turn += 1) {
      const worker = `runner-ams-${(turn % 3) + 1}`;
      const tasks = await stage.house.client.pop('boefje', { limit: 2, worker, lease_ms: 60_000 });
      await Promise.all(tasks.map(({ id, lease_id }) => stage.house.client.patch({ id, lease_id, status: 'running' })));
      await delay(300);
      await Promise.all(
        tasks.map(({ id, lease_id }) => stage.house.client.patch({ id, lease_id, status: 'completed' })),
      );
    }
  }

  test('of a failed task, a refusal, the overview, organisations, their day, and a preview', async () => {
    const { page } = await stage.visit('ops-1');
    await page.goto(`/tasks/${failed}`);
    await page.getByText('what its worker said').click();
    await shoot(page, 'task');
    const asked = { organisation: 'westbridge', boefje: 'nmap', ooi: refused.reference };
    await page.goto(`/why?${new URLSearchParams(asked).toString()}`);
    expect(await textOf(page, '#verdict')).toContain('clearance');
    await shoot(page, 'why');
    await page.goto('/');
    // Nobody takes reports: that is a problem once one has waited for a minute.
    await expect.poll(() => textOf(page, '#verdict'), { timeout: 120_000 }).toContain('report stands');
    await shoot(page, 'overview');
    await page.goto('/organisations');
    await shoot(page, 'organisations');
    await page.goto('/organisations/northfield');
    await shoot(page, 'organisation');
    await page.goto(`/organisations?at=${new Date().toISOString()}`);
    await shoot(page, 'day');
    await page.goto('/machinery');
    await page.getByRole('button', { name: 'Rank anew…' }).first().click();
    await page.getByRole('combobox').selectOption('created-at');
    await page.getByRole('button', { name: 'Preview' }).click();
    expect(await textOf(page, '#confirm')).toContain('for this order set');
    await shoot(page, 'preview');
  });
});
