import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest';
import { startNats } from '../../src/embedded/nats.ts';
import { freePort } from '../../src/embedded/process.ts';
import { createEventSource } from '../../src/events/broker-choice.ts';
import { succeeded } from '../../src/mailbox/failure.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { runCli } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';

// Whole processes: seconds each on an idle machine.
vi.setConfig({ testTimeout: 120_000 });

let directory: string;
let database: Awaited<ReturnType<typeof createDatabase>>;
/** Nothing listens there. */
let port: number;
/** Answers as HTTP does: RabbitMQ's management is often taken for it. */
let management: Server;
let managementPort: number;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rota-deploy-'));
  database = await createDatabase();
  port = await freePort();
  management = createServer().listen(0, '127.0.0.1');
  await once(management, 'listening');
  managementPort = (management.address() as { port: number }).port;
});
afterAll(async () => {
  management.close();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

test('credentials that NATS refuses end a start with one sentence, exit 77', async () => {
  const config = join(directory, 'nats.conf');
  await writeFile(config, 'authorization { user: rota, password: right }\n');
  const nats = await startNats({ directory: join(directory, 'nats-of-its-own'), config });
  onTestFinished(() => nats.stop());
  const env = {
    SCHEDULER_DB_URI: database.url,
    NATS_URL: nats.url.replace('://', '://rota:hunter2@'),
    SCHEDULER_LOGGING_FORMAT: 'json',
  };
  const ended = await runCli(['start'], { env });
  const lines = ended.stderr.trim().split('\n');
  expect(lines.at(-1)).toMatch(
    new RegExp(`^rota: NATS at ${nats.url} refuses these credentials \\(.*\\): correct NATS_URL, NATS_USER`),
  );
  expect(lines.filter((line) => !line.startsWith('{'))).toHaveLength(1);
  expect(ended.stderr).not.toMatch(/hunter2/);
  expect(ended.code).toBe(77);
});

test.each<[string, () => string, RegExp]>([
  [
    'in use',
    () => new URL(database.url).port,
    /REST cannot listen at 127\.0\.0\.1:\d+ \(listen EADDRINUSE.*\): .*SCHEDULER_API_PORT/,
  ],
  [
    'of another machine',
    () => '0',
    /REST cannot listen at 192\.0\.2\.1:0 \(listen EADDRNOTAVAIL.*\): .*SCHEDULER_API_HOST/,
  ],
] as const)('an address for REST that is %s ends a start with one sentence, exit 78', async (what, taken, says) => {
  const env = {
    SCHEDULER_DB_URI: database.url,
    NATS_URL: inject('natsUrl'),
    SCHEDULER_NATS_PREFIX: `deploy-${process.pid}`,
    SCHEDULER_API_HOST: what === 'in use' ? '127.0.0.1' : '192.0.2.1',
    SCHEDULER_API_PORT: taken(),
    SCHEDULER_LOGGING_FORMAT: 'json',
  };
  const ended = await runCli(['start'], { env });
  const sentences = ended.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  expect(sentences).toEqual([expect.stringMatching(says)]);
  expect(ended.code).toBe(78);
});

test.each<[string, (url: URL) => void, RegExp]>([
  [
    'a wrong password',
    (url) => (url.password = 'hunter2'),
    /ACCESS_REFUSED - .*; correct user and password in QUEUE_URI$/,
  ],
  [
    'a vhost that is not there',
    (url) => Object.assign(url, { password: 'guest', pathname: '/%2Fkta' }),
    /vhost "\/kta", .*: NOT_ALLOWED - .*; create the vhost/,
  ],
  [
    'its management port',
    (url) => (url.port = String(managementPort)),
    /: what answers there is no RabbitMQ; .*QUEUE_URI$/,
  ],
  ['a port where nothing listens', (url) => (url.port = String(port)), /: connect ECONNREFUSED .*QUEUE_URI$/],
  [
    'a host that is not known',
    (url) => (url.hostname = 'no-such-host.invalid'),
    /: getaddrinfo .*; correct the host in/,
  ],
])(
  'RabbitMQ with %s is reported with the place, its reason and what to do, and tried again',
  async (_what, wrong, says) => {
    const url = new URL(inject('amqpUrl'));
    url.password = 'hunter2';
    wrong(url);
    const lost = Promise.withResolvers<string>();
    const source = createEventSource(
      {
        kind: 'amqp',
        amqpUrl: url.href,
        natsServers: null,
        natsAuth: {},
        prefix: 'rota',
        prefetch: 1,
        maxAttempts: 1,
      },
      { connectNats, now: Date.now, tell: (event) => event.name === 'source.lost' && lost.resolve(event.message) },
    );
    onTestFinished(() => source.stop(100));
    await source.consume('raw_file_received', async () => succeeded);
    const message = await lost.promise;
    expect(message).toMatch(says);
    expect(message).toMatch(new RegExp(`^${url.hostname}:${url.port}, vhost ".+", user "guest": `));
    expect(message).not.toMatch(/hunter2|undefined/);
  },
);
