import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startDouble } from '../kat/http-double.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';

interface Health {
  readonly healthy: boolean;
  readonly additional: { readonly reasons: readonly string[] } | null;
  readonly results: readonly { readonly service: string; readonly healthy: boolean; readonly additional: string }[];
  readonly externals: Readonly<Record<string, boolean>>;
}

let house: House;
let rota: TestRota;
/** Another client, with an exclusive consumer on the queue. */
let other: Connection;

beforeAll(async () => {
  house = await openHouse();
  other = new Connection(house.amqpUrl);
  const channel = await other.acquire();
  await channel.queueDeclare({ queue: 'raw_file_received', durable: true });
  await channel.basicConsume({ queue: 'raw_file_received', exclusive: true }, () => {});
  rota = await house.start();
});
afterAll(async () => {
  await other.close();
  await house.stop();
});

const health = async (query = '') => (await rota.ask<Health>('GET', `/health${query}`)).body;

test('lessons 1: health names the source that does not consume although RabbitMQ answers; the other one does', async () => {
  await expect
    .poll(async () => (await health()).additional?.reasons)
    .toEqual([expect.stringMatching(/^broker: rabbitmq:raw_file_received: .*exclusive/)]);
  expect(await health()).toMatchObject({
    healthy: false,
    results: [
      { service: 'broker', healthy: false, additional: expect.stringMatching(/^rabbitmq:raw_file_received: /) },
    ],
  });
  other.unsafeDestroy();
  await expect.poll(() => health()).toMatchObject({ healthy: true, additional: null, results: [] });
});

test('health asks KAT’s services only on request, as in mula, and none of them makes Rota unhealthy', async () => {
  await expect.poll(() => health()).toMatchObject({ healthy: true, externals: {} });
  expect((await health('?externals=true')).externals).toEqual({ katalogus: true, octopoes: true, bytes: true });
  house.kat.outage('octopoes', 'error');
  expect(await health('?externals=true')).toMatchObject({
    healthy: true,
    externals: { katalogus: true, octopoes: false, bytes: true },
  });
  house.kat.outage('octopoes', 'none');
});

test('health asks a service below the path of its URL, with its user and password', async () => {
  const asked: (string | undefined)[] = [];
  const proxy = await startDouble(({ path, headers }) => {
    if (path !== '/katalogus/health') return { status: 404 };
    asked.push(headers.authorization);
    return { body: { service: 'katalogus', healthy: true } };
  });
  onTestFinished(proxy.stop);
  const at = proxy.url.replace('//', '//rota:s3cret@');
  const own = await house.start({ environment: { KATALOGUS_API: `${at}/katalogus/` } });
  onTestFinished(own.drain);
  const { body } = await own.ask<Health>('GET', '/health?externals=true');
  expect(body.externals).toMatchObject({ katalogus: true });
  expect(asked).toEqual([`Basic ${Buffer.from('rota:s3cret').toString('base64')}`]);
});
