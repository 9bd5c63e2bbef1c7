import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../src/embedded/process.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** As in a shell after `npm ci`: whatever Node the system has is the one that npx finds. */
const systemPath = process.env['PATH']!.split(delimiter)
  .filter((folder) => !folder.endsWith('node_modules/.bin'))
  .join(delimiter);

interface Served {
  readonly api: string;
  readonly nats: string;
  readonly db: string;
  /** Logs in once. */
  readonly page: string;
}

interface RunningDev extends Served {
  /** SIGTERM to npx. @returns its exit code */
  stop(): Promise<number | null>;
}

async function startDev(data: string): Promise<RunningDev> {
  const [apiPort, natsPort, pagePort] = [await freePort(), await freePort(), await freePort()];
  const args = [
    'rota',
    'dev',
    '--data',
    data,
    '--api-port',
    String(apiPort),
    '--nats-port',
    String(natsPort),
    '--page-port',
    String(pagePort),
    '--json',
  ];
  const child = spawn('npx', args, {
    cwd: root,
    env: { ...process.env, PATH: systemPath },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  onTestFinished(async () => void (await stop()));
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = JSON.parse(line) as Served & { ready: boolean };
    expect(ready).toMatchObject({
      ready: true,
      api: `http://127.0.0.1:${apiPort}`,
      nats: expect.stringMatching(`^nats://rota:p[\\w-]{43}@127\\.0\\.0\\.1:${natsPort}$`),
      page: expect.stringMatching(`^http://127\\.0\\.0\\.1:${pagePort}/login\\?once=[\\w-]{32}$`),
    });
    return { ...ready, stop };
  }
  throw new Error(`it ended before it served:\n${log}`);
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown> & { id: string };
}

async function ask(api: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(api + path, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as Answer['body'] };
}

/** As a browser without a session does. */
async function follow(link: string): Promise<{ readonly status: number; readonly cookie: string | null }> {
  const { status, headers } = await fetch(link, { redirect: 'manual' });
  return { status, cookie: headers.get('set-cookie') };
}

const boefje = {
  id: 'dns-records',
  name: 'DNS records',
  version: null,
  oci_image: 'ghcr.io/minvws/openkat/generic:latest',
};
/** Byte for byte what Rocky sends. */
const rockyPush = {
  scheduler_id: 'boefje',
  organisation: 'aa',
  priority: 1,
  data: {
    type: 'boefje',
    id: null,
    boefje,
    input_ooi: 'Hostname|internet|mispo.es',
    organization: 'aa',
    deduplication_key: null,
  },
};
const recipe = '5e1f6d5c-2d63-4b8c-8d0e-6a5b7a6d1f10';

test(
  'npx rota dev serves whole lives of tasks and schedules alone on a machine, and goes on with its data',
  { timeout: 120_000 },
  async () => {
    const data = await mkdtemp(join(tmpdir(), 'rota-dev-'));
    onTestFinished(() => rm(data, { recursive: true, force: true }));
    const first = await startDev(data);
    expect(await follow(first.page)).toMatchObject({
      status: 303,
      cookie: expect.stringMatching(/^rota_page_[0-9a-f]{8}=/),
    });
    expect(await follow(first.page)).toEqual({ status: 401, cookie: null });

    const pushed = await ask(first.api, 'POST', '/schedulers/boefje/push', rockyPush);
    expect(pushed).toMatchObject({ status: 201, body: { status: 'queued' } });
    expect(await ask(first.api, 'POST', '/schedulers/boefje/push', rockyPush)).toMatchObject({ status: 409 });
    const { id } = pushed.body;
    const filters = [{ column: 'data', field: 'boefje__oci_image', operator: 'in', value: [boefje.oci_image] }];
    const popped = await ask(first.api, 'POST', '/schedulers/boefje/pop?limit=1', { filters });
    expect(popped).toMatchObject({ status: 200, body: { results: [{ id, status: 'dispatched' }] } });
    for (const status of ['running', 'completed']) {
      expect(await ask(first.api, 'PATCH', `/tasks/${id}`, { status })).toMatchObject({
        status: 200,
        body: { status },
      });
    }

    const report = { type: 'report', organisation_id: 'aa', report_recipe_id: recipe };
    const created = await ask(first.api, 'POST', '/schedules', {
      scheduler_id: 'report',
      organisation: 'aa',
      data: report,
      schedule: '0 0 L * *',
      deadline_at: '2050-01-31',
    });
    expect(created).toMatchObject({ status: 201, body: { deadline_at: '2050-01-31T00:00:00.000000Z' } });
    const ofRecipe = { filters: [{ column: 'data', field: 'report_recipe_id', operator: 'eq', value: recipe }] };
    expect(await ask(first.api, 'POST', '/schedules/search', ofRecipe)).toMatchObject({ body: { count: 1 } });
    expect(await first.stop()).toBe(0);

    const second = await startDev(data);
    expect(await ask(second.api, 'GET', `/tasks/${id}`)).toMatchObject({ body: { status: 'completed' } });
    const schedule = `/schedules/${created.body.id}`;
    expect(await ask(second.api, 'PATCH', schedule, { enabled: false })).toMatchObject({ body: { enabled: false } });
    expect(await ask(second.api, 'DELETE', schedule)).toEqual({ status: 204, body: null });
    expect(await ask(second.api, 'GET', schedule)).toMatchObject({ status: 404 });
    expect(await second.stop()).toBe(0);
  },
);
