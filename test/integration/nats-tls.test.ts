import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Events } from 'nats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNats } from '../../src/embedded/nats.ts';
import type { Embedded } from '../../src/embedded/process.ts';
import { createEventSource } from '../../src/events/broker-choice.ts';
import { createJetstreamPublisher } from '../../src/events/jetstream-message.ts';
import { codeOf } from '../../src/errors.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { type Authority, createAuthority } from '../support/certificates.ts';
import { plainNats, startListener } from '../support/listener.ts';

/** A nats-server that accepts only clients with TLS and a certificate of our authority. */
let directory: string;
let ours: Authority;
let others: Authority;
let own: { certificate: string; key: string };
let server: Embedded;
let secure: string;
let tls: { ca: string; cert: string; key: string };
const auth = { user: 'alice', password: 'hunter2' };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rota-nats-tls-'));
  [ours, others] = [await createAuthority(directory, 'ours'), await createAuthority(directory, 'others')];
  const served = await ours.sign('server', 'DNS:localhost,IP:127.0.0.1');
  own = await ours.sign('client');
  server = await startSecure(served);
  secure = server.url.replace('nats://', 'tls://');
  tls = { ca: ours.root, cert: own.certificate, key: own.key };
});
afterAll(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function startSecure(served: { certificate: string; key: string }, port = 0): Promise<Embedded> {
  // Each with a directory of its own: startNats ends the server that it finds in one.
  const home = await mkdtemp(join(directory, 'server-'));
  const config = join(home, 'nats.conf');
  const files = `cert_file: "${served.certificate}", key_file: "${served.key}", ca_file: "${ours.root}"`;
  await writeFile(
    config,
    `tls { ${files}, verify: true }\nauthorization { user: ${auth.user}, password: ${auth.password} }\n`,
  );
  return startNats({ directory: home, config, port });
}

test('with its authority and a certificate of our own a server is talked to, by name and by address', async () => {
  for (const host of ['localhost', '127.0.0.1']) {
    const connection = await connectNats({ servers: secure.replace('127.0.0.1', host), auth: { ...auth, tls } });
    expect(await connection.rtt()).toBeGreaterThanOrEqual(0);
    await connection.close();
  }
});

test.for<[string, string, object]>([
  ['tls: in the URL', 'tls', {}],
  ['one tls: among several', 'nats://127.0.0.1:1,tls', {}],
  ['an authority that is named', 'nats', { ca: 'root' }],
  ['a certificate of our own', 'nats', { cert: 'certificate', key: 'key' }],
])('%s requires TLS: a server without gets not one byte', async ([, scheme, named]) => {
  const listener = await startListener(plainNats);
  const paths: Record<string, string> = { root: ours.root, certificate: own.certificate, key: own.key };
  const files = Object.fromEntries(Object.entries(named).map(([name, file]) => [name, paths[file as string]]));
  const inUrl = `${scheme}://alice:hunter2@127.0.0.1:${listener.port}`;
  const refused = await connectNats({ servers: inUrl, auth: { tls: files } }).catch((error: unknown) => error);
  // The error is that of the last server that was tried, and the library tries them in any order.
  const lastOne = { code: 'SERVICE_UNAVAILABLE', message: expect.stringContaining('no NATS server answers') };
  const noTls = {
    code: 'BAD_CONFIG',
    message: expect.stringMatching(/offers no TLS, which is required here.*turn TLS on there, or leave/),
  };
  expect([refused]).toEqual([
    expect.objectContaining(inUrl.includes(',') && codeOf(refused) !== 'BAD_CONFIG' ? lastOne : noTls),
  ]);
  expect(listener.heard()).toBe('');
  await listener.stop();
});

test('a server that has no TLS any more when a connection comes back gets nothing either', async () => {
  const served = await ours.sign('again', 'IP:127.0.0.1');
  const first = await startSecure(served);
  const port = Number(new URL(first.url).port);
  const connection = await connectNats({ servers: `tls://127.0.0.1:${port}`, auth: { ...auth, tls } });
  const lost = (async () => {
    for await (const { type } of connection.status()) if (type === Events.Disconnect) return;
  })();
  await first.stop();
  await lost;
  const listener = await startListener(plainNats, port);
  await listener.contacted;
  await listener.contacted;
  expect(listener.heard()).toBe('');
  await connection.close();
  await listener.stop();
});

test.for<[string, () => object, RegExp]>([
  ['of another authority', () => ({ ...tls, ca: others.root }), /no trusted TLS.*correct NATS_URL or NATS_TLS_CA/],
  ['of an authority that no setting names', () => ({}), /no trusted TLS/],
])('a server with a certificate %s is refused, and got no password', async ([, files, says]) => {
  const refused = connectNats({ servers: secure, auth: { ...auth, tls: files() } });
  await expect(refused).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', message: expect.stringMatching(says) });
  await expect(refused).rejects.not.toThrow(/hunter2/);
});

test('a server with a certificate for another host is refused', async () => {
  const wrong = await startSecure(await ours.sign('elsewhere', 'DNS:elsewhere.example'));
  const servers = wrong.url.replace('nats://', 'tls://');
  await expect(connectNats({ servers, auth: { ...auth, tls } })).rejects.toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
    message: expect.stringMatching(/no trusted TLS .*altnames/),
  });
  await wrong.stop();
});

test.for<[string, () => object, RegExp]>([
  ['a file that is not there', () => ({ ...tls, ca: '/nowhere.crt' }), /^NATS_TLS_CA: .*ENOENT/],
  ['a file that is no certificate', () => ({ ca: own.key }), /^NATS_TLS_CA: expected a certificate in PEM/],
  ['a certificate without its key', () => ({ cert: own.certificate }), /^NATS_TLS_KEY: /],
  ['a key without its certificate', () => ({ key: own.key }), /^NATS_TLS_CERT: /],
  ['a key of another', () => ({ ...tls, cert: ours.root }), /^NATS_TLS_KEY: expected the PEM key/],
])('%s is reported by the name of its variable before any connection', async ([, files, says]) => {
  await expect(connectNats({ servers: secure, auth: { ...auth, tls: files() } })).rejects.toMatchObject({
    code: 'BAD_CONFIG',
    message: expect.stringMatching(says),
  });
});

test('events of JetStream, which the threads consume over connections of their own, come over TLS', async () => {
  const natsAuth = { ...auth, tls };
  const publishing = await connectNats({ servers: secure, auth: natsAuth });
  const arrived = Promise.withResolvers<void>();
  const source = createEventSource(
    { kind: 'jetstream', amqpUrl: null, natsServers: secure, natsAuth, prefix: 'rota', prefetch: 1, maxAttempts: 1 },
    { connectNats, now: Date.now, tell: (event) => event.name === 'event.dead-lettered' && arrived.resolve() },
  );
  await source.consume('raw_file_received', async () => ({ ok: true, value: null }));
  await createJetstreamPublisher(publishing, 'rota').publish('raw_file_received', 'no event');
  await arrived.promise;
  await source.stop(1_000);
  await publishing.close();
});

test('the command line takes the same variables, and says what is wrong', async () => {
  const run = async (env: object) =>
    promisify(execFile)(process.execPath, ['src/cli.ts', 'doctor'], {
      env: { PATH: process.env['PATH'], NATS_URL: secure, NATS_USER: auth.user, NATS_PASSWORD: auth.password, ...env },
    }).catch((error: { stdout: string }) => error);
  const trusted = await run({ NATS_TLS_CA: tls.ca, NATS_TLS_CERT: tls.cert, NATS_TLS_KEY: tls.key });
  expect(trusted.stdout).toMatch(/ok +nats +- +nats-server \S+ answers/);
  expect((await run({})).stdout).toMatch(/PROBLEM +nats +- +no trusted TLS/);
});
