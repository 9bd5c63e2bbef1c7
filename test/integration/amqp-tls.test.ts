import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createBacklog,
  createDeadLetters,
  createEventSource,
  type EventSettings,
} from '../../src/events/broker-choice.ts';
import { connectNats } from '../../src/nats/connect.ts';
import type { RotaEvent } from '../../src/telemetry/events.ts';
import { readTlsFiles } from '../../src/tls-files.ts';
import { createAuthority } from '../support/certificates.ts';
import { startListener } from '../support/listener.ts';
import { createVhost } from '../support/vhost.ts';

/** RabbitMQ behind TLS: what ends it here takes only those with a certificate of our authority, as RabbitMQ itself may. */
let directory: string;
let vhost: Awaited<ReturnType<typeof createVhost>>;
let front: Server;
let files: { ca: string; cert: string; key: string };
const url = (scheme: string, port: number) => {
  const at = new URL(vhost.url);
  return `${scheme}://guest:guest@127.0.0.1:${port}${at.pathname}`;
};
const frontPort = () => (front.address() as { port: number }).port;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rota-amqp-tls-'));
  vhost = await createVhost();
  const authority = await createAuthority(directory, 'ours');
  const [served, own] = [await authority.sign('server', 'IP:127.0.0.1'), await authority.sign('client')];
  files = { ca: authority.root, cert: own.certificate, key: own.key };
  const [cert, key, ca] = await Promise.all([served.certificate, served.key, authority.root].map((it) => readFile(it)));
  front = createServer({ cert: cert!, key: key!, ca: ca!, requestCert: true, rejectUnauthorized: true }, (socket) => {
    const { hostname: host, port } = new URL(vhost.url);
    const rabbit = connect(Number(port), host);
    for (const one of [socket, rabbit]) one.on('error', () => {});
    socket.pipe(rabbit).pipe(socket);
    socket.on('close', () => rabbit.destroy());
  });
  front.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  front?.close();
  await vhost?.drop();
  await rm(directory, { recursive: true, force: true });
});

function settings(amqpUrl: string, tls: object): EventSettings {
  const amqpTls = readTlsFiles(tls, 'QUEUE_TLS');
  const limits = { prefetch: 1, maxAttempts: 1 };
  return { kind: 'amqp', amqpUrl, amqpTls, natsServers: null, natsAuth: {}, prefix: 'rota', ...limits };
}

/** The first event about the connection. */
async function outcomeOf(wanted: EventSettings): Promise<{ event: RotaEvent; stop(): Promise<void> }> {
  const told = Promise.withResolvers<RotaEvent>();
  const tell = (event: RotaEvent) => {
    if (event.name === 'source.connected' || event.name === 'source.lost') told.resolve(event);
  };
  const source = createEventSource(wanted, { connectNats, now: Date.now, tell, timing: { reconnectMs: [50, 50] } });
  const consuming = source.consume('raw_file_received', async () => ({ ok: true, value: null }));
  const event = await told.promise;
  return { event, stop: async () => (await consuming, source.stop(1_000)) };
}

test('events, backlog and dead letters come over TLS, with an authority and a certificate of our own', async () => {
  const secure = settings(url('amqps', frontPort()), files);
  const { event, stop } = await outcomeOf(secure);
  expect(event).toMatchObject({ name: 'source.connected' });
  const [backlog, letters] = [createBacklog(secure, null as never)!, createDeadLetters(secure, null as never)!];
  await expect
    .poll(() => backlog.look())
    .toContainEqual(expect.objectContaining({ stream: 'raw_file_received', waiting: 0, error: null }));
  expect(await letters.list(1)).toEqual([]);
  await Promise.all([backlog.close(), letters.close(), stop()]);
});

test('a broker whose certificate no known authority signed is refused, and the error gives the reason', async () => {
  const { event, stop } = await outcomeOf(settings(url('amqps', frontPort()), {}));
  expect(event).toMatchObject({ name: 'source.lost', message: expect.stringMatching(/certificate.*QUEUE_TLS_CA/) });
  await stop();
});

test.for<[string, string, () => object]>([
  ['amqps: in the URL', 'amqps', () => ({})],
  ['an authority that is named', 'amqp', () => ({ ca: files.ca })],
])('%s requires TLS: a broker without gets no password', async ([, scheme, named]) => {
  const listener = await startListener('');
  const { stop, event } = await outcomeOf(settings(url(scheme, listener.port), named()));
  expect(event).toMatchObject({
    name: 'source.lost',
    message: expect.stringMatching(/correct its TLS, or QUEUE_TLS_CA/),
  });
  // A TLS record, and not the protocol header that comes before a login.
  expect(listener.heard()).not.toContain('AMQP');
  expect(listener.heard()).not.toContain('guest');
  await stop();
  await listener.stop();
});
