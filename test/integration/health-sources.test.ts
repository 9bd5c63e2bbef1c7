import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type House, openHouse, type TestRota } from '../support/rota.ts';

interface Health {
  readonly healthy: boolean;
  readonly additional: { readonly reasons: readonly string[] } | null;
  readonly results: readonly { readonly service: string; readonly healthy: boolean; readonly additional: string }[];
  readonly externals: Readonly<Record<string, boolean>>;
}

let house: House;
let rota: TestRota;
/** Somebody else who has the queue for himself. */
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

test('health asks KAT’s services only when told to, as in mula, and none of them makes Rota unhealthy', async () => {
  await expect.poll(() => health()).toMatchObject({ healthy: true, externals: {} });
  expect((await health('?externals=true')).externals).toEqual({ katalogus: true, octopoes: true, bytes: true });
  house.kat.outage('octopoes', 'error');
  expect(await health('?externals=true')).toMatchObject({
    healthy: true,
    externals: { katalogus: true, octopoes: false, bytes: true },
  });
  house.kat.outage('octopoes', 'none');
});
