import { connect } from 'nats';
import { Client } from 'pg';
import { Connection } from 'rabbitmq-client';
import { expect, inject, test } from 'vitest';
import { createDatabase } from '../support/database.ts';

test('the test services answer: Postgres, NATS with JetStream, RabbitMQ', async () => {
  const database = await createDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await client.end();
  await database.drop();

  const nats = await connect({ servers: inject('natsUrl') });
  expect((await (await nats.jetstreamManager()).getAccountInfo()).streams).toBeGreaterThanOrEqual(0);
  await nats.close();

  const rabbit = new Connection(inject('amqpUrl'));
  await rabbit.onConnect(10_000);
  await rabbit.close();
});
