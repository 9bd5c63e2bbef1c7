import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { freePort } from '../../src/embedded/process.ts';
import { runEach } from '../../src/queue/schema/schema-lock.ts';
import { buildImage, type Image, type ImageProcess } from '../support/image.ts';
import { Mula, mulaSchedule, mulaTask } from '../support/mula-database.ts';
import { type House, openHouse } from '../support/rota.ts';

/**
 * The commands of docs/migrating-from-mula.md in their order, on a database that mula left, with KAT's services as doubles. What
 * Docker would do is done without it: the image's files as its user, for `docker compose run`, `up` and `stop`.
 */
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const guide = read('docs/migrating-from-mula.md');

interface Step {
  readonly command: string;
  /** As the page shows it; `…` matches anything. */
  readonly output: string;
}

const steps: readonly Step[] = [...guide.matchAll(/```console\n([\s\S]*?)```/g)].flatMap(([, block]) =>
  block!
    .split(/^\$ /m)
    .slice(1)
    .map((step) => ({ command: step.split('\n')[0]!, output: step.split('\n').slice(1).join('\n').trim() })),
);

let house: House;
let image: Image;
let api: string;
let environment: Record<string, string>;
let serving: ImageProcess | null = null;

const queued = [mulaTask({ priority: 1 }), mulaTask({ priority: 2 })];
const schedules = [1, 2].map(() => mulaSchedule({ deadline_at: '2999-01-01T00:00:00.000000Z' }));

beforeAll(async () => {
  [house, image] = await Promise.all([
    openHouse({
      async prepare(databaseUrl) {
        const client = new Client({ connectionString: databaseUrl });
        await client.connect();
        await client.query(read('sql/migrations/0001_mula.sql'));
        const mula = new Mula(client);
        for (const schedule of schedules) await mula.createSchedule(schedule);
        const others = (['running', 'completed'] as const).map((status) => mulaTask({ status }));
        for (const task of [...queued, ...others]) await mula.createTask(task);
        await client.end();
      },
    }),
    buildImage(),
  ]);
  const port = await freePort();
  api = `http://127.0.0.1:${port}`;
  const kat = {
    SCHEDULER_DB_URI: house.databaseUrl,
    QUEUE_URI: house.amqpUrl,
    KATALOGUS_API: house.kat.urls.katalogus,
    OCTOPOES_API: house.kat.urls.octopoes,
    BYTES_API: house.kat.urls.bytes,
    BYTES_USERNAME: house.kat.credentials.username,
    BYTES_PASSWORD: house.kat.credentials.password,
    NATS_URL: inject('natsUrl'),
  };
  const lines = read('test/fixtures/kat-compose/env').split('\n');
  const given = lines.filter((line) => /^\w+=/.test(line)).map((line) => line.split('=', 2) as [string, string]);
  environment = {
    ...Object.fromEntries(given),
    ...kat,
    SCHEDULER_LOGGING_FORMAT: 'json',
    // The published port, and a NATS that other tests use too.
    SCHEDULER_API_HOST: '127.0.0.1',
    SCHEDULER_API_PORT: String(port),
    SCHEDULER_NATS_PREFIX: `guide-${port}`,
  };
});
afterAll(async () => {
  serving?.signal('SIGKILL');
  await serving?.ended;
  await image.remove();
  await house.stop();
});

/** Does what a command of the page says. @returns what it prints */
async function take(command: string): Promise<string> {
  const [, rota] = /^docker compose run --rm --no-deps scheduler (.*)$/.exec(command) ?? [];
  if (rota !== undefined) return run(rota.split(' '));
  const [, post, url] = /^curl -s (-X POST )?'?http:\/\/localhost:8004([^']*)'?$/.exec(command) ?? [];
  if (url !== undefined) return curl(post === undefined ? 'GET' : 'POST', url);
  switch (command) {
    case 'docker compose build scheduler':
      return '';
    case 'docker compose up -d scheduler':
      await start();
      return '';
    case 'docker compose stop scheduler': {
      const stopping = serving;
      serving = null;
      stopping?.signal('SIGTERM');
      if (stopping !== null) expect(await stopping.ended, stopping.output()).toBe(0);
      return '';
    }
    default:
      throw new Error(`the page has a command that this test does not know: ${command}`);
  }
}

async function run(args: readonly string[]): Promise<string> {
  const process = image.run(args, environment);
  expect(await process.ended, process.output()).toBe(args.includes('--dry-run') ? 1 : 0);
  return process.output().trim();
}

async function start(): Promise<void> {
  serving = image.run(['start'], environment);
  const { output } = serving;
  await expect.poll(() => fetch(`${api}/ready`).then((answer) => answer.status, output)).toBe(200);
  // Of both queues: until then it is not healthy, and says so.
  const connected = () => new Set(output().match(/(?<="rabbitmq:)\w+(?=","event":"event source connected")/g)).size;
  await expect.poll(connected).toBe(2);
  await expect.poll(healthy).toBe(true);
}

async function curl(method: string, url: string): Promise<string> {
  const asked = fetch(api + url, { method }).then((answer) => answer.text());
  if (!url.includes('wait=25')) return asked;
  const waiting = async () =>
    /^rota_waiters\{scheduler="report"\} 1$/m.test(await (await fetch(`${api}/metrics`)).text());
  await expect.poll(waiting).toBe(true);
  const since = performance.now();
  const pushed = await fetch(`${api}/schedulers/report/push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"organisation":"aa","priority":1,"data":{"organisation_id":"aa","report_recipe_id":"recipe"}}',
  });
  const { id } = (await pushed.json()) as { id: string };
  const answer = await asked;
  expect(JSON.parse(answer)).toMatchObject({ results: [{ id }] });
  // KAT's runners sleep for 10 s.
  expect(performance.now() - since).toBeLessThan(5_000);
  return answer;
}

const pattern = (output: string) =>
  new RegExp(
    `^${output
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      .join('[\\s\\S]*')}$`,
  );

test('each command of the guide does what the page shows, from mula to Rota and back, and forward again', async () => {
  expect(steps.length).toBeGreaterThanOrEqual(8);
  for (const { command, output } of steps) {
    expect(await take(command), `$ ${command}`).toMatch(pattern(output));
  }
  expect(serving, 'the page ends with mula').toBeNull();

  // Postgres by itself does the same, and may do it again.
  const [, file] = /psql .* < rota\/(\S+)\n/.exec(guide)!;
  const client = new Client({ connectionString: house.databaseUrl });
  await client.connect();
  onTestFinished(() => client.end());
  await runEach(client, read(file!));
  const mula = new Mula(client);
  expect(await mula.pop('boefje', 10)).toEqual(queued.map(({ id }) => id));
  await mula.setStatus(queued[0]!.id, 'queued');

  await start();
  const answer = await fetch(`${api}/schedulers/boefje/pop?limit=1`, { method: 'POST' });
  expect(await answer.json()).toMatchObject({ results: [{ id: queued[0]!.id, status: 'dispatched' }] });
});

async function healthy(): Promise<boolean> {
  return ((await (await fetch(`${api}/health`)).json()) as { healthy: boolean }).healthy;
}
