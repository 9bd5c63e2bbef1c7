import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import type { RunningRota } from '../../src/cli/start.ts';
import { readConfig } from '../../src/config/config.ts';
import { startRota } from '../../src/main.ts';
import { connectRota, type RotaClient } from '../../src/nats/client.ts';
import { next } from '../../src/telemetry/events.ts';
import { metricTable } from '../../src/observation/metrics.ts';
import { createDatabase } from '../support/database.ts';
import { startProxy } from '../support/proxy.ts';
import { createVhost } from '../support/vhost.ts';

interface Health {
  readonly healthy: boolean;
  readonly additional: { readonly reasons: readonly string[] } | null;
}

let rota: RunningRota;
let client: RotaClient;
/** Between Rota and the services that it depends on, to take them away. */
let links: Record<'database' | 'nats' | 'broker', Awaited<ReturnType<typeof startProxy>>>;
let ends: (() => Promise<unknown>)[];

/** The same service, by way of a proxy. */
async function through(service: string): Promise<{ url: string; link: Awaited<ReturnType<typeof startProxy>> }> {
  const url = new URL(service);
  const link = await startProxy({ port: Number(url.port) });
  url.port = String(link.port);
  return { url: url.href, link };
}

beforeAll(async () => {
  const [database, vhost] = await Promise.all([createDatabase(), createVhost()]);
  const postgres = await through(database.url);
  const nats = await through(inject('natsUrl'));
  const broker = await through(vhost.url);
  links = { database: postgres.link, nats: nats.link, broker: broker.link };
  const prefix = `health-${process.pid}`;
  const connected = next('source.connected');
  rota = await startRota(
    readConfig({
      SCHEDULER_DB_URI: postgres.url,
      NATS_URL: nats.url,
      QUEUE_URI: broker.url,
      SCHEDULER_NATS_PREFIX: prefix,
      SCHEDULER_API_HOST: '127.0.0.1',
      SCHEDULER_API_PORT: '0',
      SCHEDULER_LOGGING_FORMAT: 'json',
      NODE_ENV: 'production',
    }),
    {},
  );
  client = await connectRota({ servers: inject('natsUrl'), prefix });
  await connected;
  ends = [
    () => client.close(),
    () => rota.drain(),
    ...Object.values(links).map((link) => () => link.stop()),
    () => database.drop(),
    () => vhost.drop(),
  ];
});
afterAll(async () => {
  for (const end of ends) await end();
});

const health = async () => (await (await fetch(`${rota.api}/health`)).json()) as Health;
const untilHealthy = () => expect.poll(health).toMatchObject({ healthy: true, additional: null });
const reasons = async () => (await health()).additional?.reasons ?? [];

async function ready(): Promise<{ status: number; reasons: readonly string[] }> {
  const answer = await fetch(`${rota.api}/ready`);
  return { status: answer.status, reasons: ((await answer.json()) as { reasons: readonly string[] }).reasons };
}

describe('health of a running Rota', () => {
  test('it is healthy and ready while all that it depends on is there', async () => {
    await untilHealthy();
    expect(await ready()).toEqual({ status: 200, reasons: [] });
  });

  test('lessons 1: health says false without the database, and comes back with it', async () => {
    links.database.down();
    await expect.poll(ready).toMatchObject({ status: 503, reasons: [expect.stringMatching(/^database: /)] });
    expect(await reasons()).toContainEqual(expect.stringMatching(/^database: /));
    links.database.up();
    await untilHealthy();
    expect(await ready()).toMatchObject({ status: 200 });
  });

  test('lessons 1: health says false without the broker, which is no reason not to be ready: pops and pushes go on', async () => {
    links.broker.down();
    await expect.poll(reasons).toContainEqual(expect.stringMatching(/^broker: rabbitmq:raw_file_received: /));
    expect(await ready()).toMatchObject({ status: 200 });
    links.broker.up();
    await untilHealthy();
  });

  test('lessons 1: health says false without NATS', async () => {
    links.nats.down();
    await expect.poll(reasons).toContainEqual(expect.stringMatching(/^nats: /));
    links.nats.up();
    await untilHealthy();
  });

  test(
    'lessons 1: health says false and names the actor that failed too often; the others work',
    { timeout: 90_000 },
    async () => {
      for (const _intensity of Array(6)) {
        // The kill after the back-off, however long that is: there is nothing to kill meanwhile.
        const stopped = next('actor.stopped', ({ actor }) => actor === 'report');
        await vi.waitUntil(async () => (await statusOf('report').catch(() => null)) === 'running', {
          timeout: 25_000,
          interval: 20,
        });
        await client.ctl('kill-actor', { actor: 'report' });
        await stopped;
      }
      expect(await health()).toMatchObject({
        healthy: false,
        additional: { reasons: ['report: actor is down: killed by an operator'] },
      });
      expect(await ready()).toMatchObject({ status: 200 });
    },
  );
});

async function statusOf(actor: string): Promise<string | undefined> {
  const { actors } = await client.ctl<{ actors: { name: string; phase: string }[] }>('status');
  return actors.find(({ name }) => name === actor)?.phase;
}

test("/metrics holds mula's families and ours, with what the queue holds", async () => {
  const task = { organisation: 'aa', priority: 1, data: { organisation_id: 'aa', report_recipe_id: 'recipe' } };
  const pushed = await fetch(`${rota.api}/schedulers/report/push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(task),
  });
  expect(pushed.status).toBe(201);
  const metrics = async () => (await fetch(`${rota.api}/metrics`)).text();
  await expect.poll(metrics).toContain('scheduler_task_status_counts{scheduler_id="report",status="queued"} 1');
  const text = await metrics();
  const families = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    .map(([, name, type]) => ({ name, type }))
    .filter(({ name }) => !/^(nodejs|process)_/.test(name!));
  expect(families).toEqual(metricTable.map(({ name, type }) => ({ name, type })));
  for (const sample of [
    'app_settings_info{monitor_organisations_interval="60",pq_grace_period="86400",pq_max_random_objects="0",pq_maxsize="0"} 1',
    'scheduler_qsize{scheduler_id="report"} 1',
    'scheduler_task_status_counts{scheduler_id="boefje",status="completed"} 0',
    'rota_tasks_queued_total{scheduler="report"} 1',
    'rota_actor_up{actor="boefje"} 1',
    'rota_queue_organisation_tasks{scheduler="report",organisation="aa"} 1',
    'rota_link_up{part="database"} 1',
    'rota_mailbox_depth{actor="normalizer",lane="raw-file-received",state="queued"} 0',
    'rota_event_source_connected{actor="boefje",stream="scan_profile_mutations"} 1',
    'rota_actor_up{actor="report"} 0',
  ]) {
    expect(text).toContain(`${sample}\n`);
  }
});
