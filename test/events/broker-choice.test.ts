import { expect, test } from 'vitest';
import { connectNats } from '../../src/nats/connect.ts';
import { createEventSource, type EventSettings } from '../../src/events/broker-choice.ts';

const settings: EventSettings = {
  kind: 'amqp',
  amqpUrl: null,
  natsServers: null,
  natsAuth: {},
  prefix: 'rota',
  prefetch: 100,
  maxAttempts: 3,
};

test.for([
  ['settings', null],
  ['a RabbitMQ URL', settings],
  ['NATS servers', { ...settings, kind: 'jetstream' }],
] as const)('without %s the source idles: no event, no error, nothing unhealthy', async ([, missing]) => {
  const source = createEventSource(missing, { connectNats, now: Date.now });
  await source.consume('scan_profile_mutations', async () => ({ ok: true, value: null }));
  expect(source.status()).toEqual([]);
  await source.stop(0);
});
