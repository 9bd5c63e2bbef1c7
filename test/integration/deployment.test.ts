import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { freePort } from '../../src/embedded/process.ts';
import { createDatabase } from '../support/database.ts';
import { buildImage, type Image, type ImageProcess } from '../support/image.ts';

let image: Image;
let database: Awaited<ReturnType<typeof createDatabase>>;
let env: Record<string, string>;

beforeAll(async () => {
  image = await buildImage();
  database = await createDatabase();
  env = {
    SCHEDULER_DB_URI: database.url,
    NATS_URL: inject('natsUrl'),
    SCHEDULER_NATS_PREFIX: `image-${process.pid}`,
    SCHEDULER_API_HOST: '127.0.0.1',
    SCHEDULER_API_PORT: String(await freePort()),
    SCHEDULER_LOGGING_FORMAT: 'json',
  };
});
afterAll(async () => {
  await database.drop();
  await image.remove();
});

async function outcome(process: ImageProcess): Promise<{ code: number | null; output: string }> {
  const code = await process.ended;
  return { code, output: process.output() };
}

test('the entrypoint serves as another user and without dev dependencies, and exits 0 at SIGTERM', async () => {
  expect(await outcome(image.run(['migrate'], env))).toMatchObject({ code: 0 });
  const rota = image.run(['start'], env);
  const api = `http://127.0.0.1:${env['SCHEDULER_API_PORT']}`;
  const ready = () => fetch(`${api}/ready`).then((answer) => answer.status, rota.output);
  await expect.poll(ready).toBe(200);
  const healthy = async () => ((await (await fetch(`${api}/health`)).json()) as { healthy: boolean }).healthy;
  await expect.poll(healthy).toBe(true);
  // Threads, the ranking pool and the documentation page load what they need only now.
  const pushed = await fetch(`${api}/schedulers/report/push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"organisation":"aa","priority":1,"data":{"organisation_id":"aa","report_recipe_id":"recipe"}}',
  });
  expect(pushed.status, await pushed.text()).toBe(201);
  expect((await fetch(`${api}/docs/`)).status).toBe(200);
  const status = await outcome(
    image.run(['status', '--json', '--nats', inject('natsUrl'), '--prefix', env['SCHEDULER_NATS_PREFIX']!], {}),
  );
  expect(status.code, status.output).toBe(0);

  rota.signal('SIGTERM');
  expect(await outcome(rota)).toMatchObject({ code: 0 });
});

test.each([
  [['start'], {}, /SCHEDULER_DB_URI and NATS_URL: expected a URL/],
  [['dev'], { NODE_ENV: 'test' }, /no embedded Postgres here: .*set SCHEDULER_DB_URI/],
] as const)('%s says in a sentence what is missing', async (args, settings, sentence) => {
  const ended = await outcome(image.run(args, settings));
  expect(ended.output).toMatch(sentence);
  expect(ended.code).toBe(78);
});
