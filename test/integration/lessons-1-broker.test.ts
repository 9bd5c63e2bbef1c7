import { afterAll, beforeAll, expect, test } from 'vitest';
import { next } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { startProxy } from '../support/proxy.ts';
import { type House, openHouse } from '../support/rota.ts';
import { queuedIn } from '../support/told.ts';

/** A row of docs/differences-from-mula.md, "Smaller differences", about RabbitMQ: Rota reaches it by way of a proxy. */
let house: House;
let proxy: Awaited<ReturnType<typeof startProxy>>;

beforeAll(async () => {
  house = await openHouse();
  const url = new URL(house.amqpUrl);
  proxy = await startProxy({ port: Number(url.port) });
  url.port = String(proxy.port);
  await house.start({ environment: { SCHEDULER_ACTORS: 'boefje', QUEUE_URI: url.href } });
});
afterAll(async () => {
  await house.stop();
  await proxy.stop();
});

test('lessons 1: a lost connection does not end anything, six times in a row: events come as soon as the broker does', async () => {
  const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')] });
  for (let time = 1; time <= 6; time += 1) {
    const [lost, connected] = [next('source.lost'), next('source.connected')];
    proxy.cut();
    await lost;
    await connected;
  }
  const lost = next('source.lost');
  proxy.down();
  await lost;
  const queued = queuedIn(organisation);
  await house.mutate(organisation, hostname('example.nl'));
  proxy.up();
  expect(await queued).toHaveLength(1);
});
