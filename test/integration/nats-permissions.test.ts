import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Events, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNats } from '../../src/embedded/nats.ts';
import type { Embedded } from '../../src/embedded/process.ts';
import { createEventSource } from '../../src/events/broker-choice.ts';
import { jetstreamPermissions } from '../../src/events/jetstream-streams.ts';
import { createJetstreamPublisher } from '../../src/events/jetstream-message.ts';
import { connectRota, type RotaClient } from '../../src/nats/client.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { natsUsers } from '../../src/nats/roles.ts';
import { createWake } from '../../src/nats/notifications.ts';
import { scanProfileMutation } from '../../src/simulator/events.ts';
import { emit, next } from '../../src/telemetry/events.ts';
import { runCli } from '../support/cli.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { type House, openHouse } from '../support/rota.ts';
import { queuedIn } from '../support/told.ts';
import { boefjeTask, taskOf } from '../support/wire.ts';

/**
 * Two whole supervisors, workers, an operator and KAT's services, each as its user on a nats-server that runs what
 * `rota nats-permissions` prints; only the passwords are filled in.
 */
let directory: string;
let server: Embedded;
let house: House;
let operator: RotaClient;
let one: RotaClient;
let two: RotaClient;
let publisher: NatsConnection;
const workers = [
  { name: 'one', schedulers: null },
  { name: 'two', schedulers: ['boefje', 'report'] },
] as const;
const auth = (user: string) => ({ user, password: user, inboxPrefix: `_INBOX_${user}` });
const as = (user: string) => ({ servers: server.url, auth: auth(user), timeoutMs: 10_000, prefix: house.prefix });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rota-permissions-'));
  house = await openHouse();
  const asked = ['--prefix', house.prefix, '--worker', 'one', '--worker', 'two:boefje,report', '--publisher'];
  const { stdout } = await runCli(['nats-permissions', ...asked]);
  const config = join(directory, 'nats.conf');
  await writeFile(
    config,
    `${stdout.replaceAll(/\$ROTA_(\w+)_PASSWORD/g, (_all, user: string) => user.toLowerCase())}log_file: "${join(directory, 'nats.log')}"\n`,
  );
  server = await startNats({ directory, config });
  operator = await connectRota(as('operator'));
  one = await connectRota(as('one'));
  two = await connectRota(as('two'));
  publisher = await connectNats(as('publisher'));
});
afterAll(async () => {
  await house?.stop();
  await Promise.all([operator?.close(), one?.close(), two?.close(), publisher?.close()]);
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** What the server has refused so far, to whomever. */
async function violations(): Promise<readonly string[]> {
  const log = await readFile(join(directory, 'nats.log'), 'utf8');
  return log.split('\n').filter((line) => line.includes('Violation'));
}

/** Of what NATS refuses to a connection from now on, one line each. */
function refusals(connection: NatsConnection): ReadonlySet<string> {
  const found = new Set<string>();
  void (async () => {
    for await (const { type, permissionContext: refused } of connection.status()) {
      if (type === Events.Error && refused) found.add(`${refused.operation} ${refused.subject}`);
    }
  })();
  return found;
}

test('supervisors make their streams, try events again and give them up', async () => {
  const supervisor = await connectNats(as('supervisor'));
  const dead = Promise.withResolvers<void>();
  let tries = 0;
  const limits = { prefix: house.prefix, prefetch: 1, maxAttempts: 2 };
  const source = createEventSource(
    { kind: 'jetstream', amqpUrl: null, natsServers: server.url, natsAuth: auth('supervisor'), ...limits },
    {
      connectNats,
      now: Date.now,
      timing: { retryMs: [10, 10] },
      tell: (event) => event.name === 'event.dead-lettered' && dead.resolve(),
    },
  );
  await source.consume('scan_profile_mutations', async () => {
    tries += 1;
    return { ok: false, failure: { code: 'BROKEN', message: 'of the test', retryable: false } };
  });
  const event = JSON.stringify(scanProfileMutation('aa', 'create', hostname('example.nl')));
  await publisher.jetstream().publish(`${house.prefix}.kat.scan_profile_mutations`, event);
  await dead.promise;
  expect(tries).toBe(2);
  await source.stop(1_000);
  await createJetstreamPublisher(supervisor, house.prefix).publish('raw_file_received', 'given up below');
  await supervisor.close();
  expect(await violations()).toEqual([]);
});

// It starts two supervisors: on a machine that is busy with other tests that takes a minute.
test('two supervisors, workers, an operator and KAT’s services live on it', { timeout: 240_000 }, async () => {
  const environment = {
    NATS_URL: server.url,
    NATS_USER: 'supervisor',
    NATS_PASSWORD: 'supervisor',
    NATS_INBOX_PREFIX: '_INBOX_supervisor',
    SCHEDULER_EVENTS: 'jetstream',
  };
  await house.start({ environment });
  await house.start({ environment });
  expect(await operator.instances()).toHaveLength(2);

  // An event of KAT becomes a task, which either worker gets, works on and ends.
  const host = hostname('example.nl');
  const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')], objects: [host] });
  const queued = queuedIn(organisation);
  const waiting = Promise.all([one.pop('boefje', { wait_ms: 20_000 }), two.pop('boefje', { wait_ms: 20_000 })]);
  const mutation = JSON.stringify(scanProfileMutation(organisation, 'create', host));
  await publisher.jetstream().publish(`${house.prefix}.kat.scan_profile_mutations`, mutation);
  const [id] = await queued;
  await operator.push('boefje', boefjeTask(organisation, 'another'));
  const [[first], [second]] = await waiting;
  expect([first!.id, second!.id]).toContain(id);
  for (const [worker, task] of [
    [one, first!],
    [two, second!],
  ] as const) {
    const lease = { id: task.id, lease_id: task.lease_id };
    expect(await worker.heartbeat([lease])).toMatchObject({ renewed: [task.id] });
    await worker.patch({ ...lease, status: 'running' });
    expect(await worker.get(lease)).toMatchObject({ status: 'running' });
    await worker.patch([{ ...lease, status: 'completed' }]);
    expect(await taskOf(operator, task.id)).toMatchObject({ status: 'completed' });
  }

  // What was given up is seen, tried again, and dropped.
  const { results } = await operator.ctl<{ results: { id: string }[] }>('dead-letters');
  expect(results.length).toBeGreaterThan(0);
  const again = next('event.dead-lettered');
  const { settled } = await operator.ctl<{ settled: string[] }>('settle-dead-letters', { action: 'requeue' });
  expect(settled).toEqual(results.map(({ id: letter }) => letter));
  await again;
  await expect
    .poll(() => operator.ctl('settle-dead-letters', { action: 'drop' }))
    .toMatchObject({ settled: [expect.any(String)] });
  const { findings } = await operator.ctl<{ findings: { level: string; about: string }[] }>('doctor');
  expect(findings.filter(({ about }) => about === 'events' || about === 'nats')).not.toContainEqual(
    expect.objectContaining({ level: 'problem' }),
  );
  expect(await violations()).toEqual([]);
});

test('a worker gets events of ended permissions, an operator every event, and supervisors wake each other', async () => {
  const heard = (client: RotaClient, subject: string) => {
    const first = Promise.withResolvers<string>();
    client.connection.subscribe(subject, { max: 1, callback: (_error, message) => first.resolve(message.subject) });
    return first.promise;
  };
  const subject = `${house.prefix}.event.boefje.revoked`;
  const all = [
    heard(one, `${house.prefix}.event.*.revoked`),
    heard(two, subject),
    heard(operator, `${house.prefix}.event.*.*`),
  ];
  await Promise.all([one, two, operator].map(({ connection }) => connection.flush()));
  emit({ name: 'tasks.revoked', scheduler: 'boefje', reason: 'scan-level-too-low', tasks: [] });
  expect(await Promise.all(all)).toEqual([subject, subject, subject]);

  const supervisors = [await connectNats(as('supervisor')), await connectNats(as('supervisor'))];
  const woken = Promise.withResolvers<string>();
  const [here, there] = supervisors.map((connection, at) =>
    createWake({ connection, prefix: house.prefix, instance: `test-${at}` }),
  );
  here!.subscribe((scheduler) => woken.resolve(scheduler));
  await supervisors[0]!.flush();
  there!.publish('boefje', 1);
  expect(await woken.promise).toBe('boefje');
  await Promise.all(supervisors.map((connection) => connection.close()));
});

test('no user may do what the table does not say: every subject of every user, and those of no user', async () => {
  const { prefix } = house;
  const jetstream = jetstreamPermissions(prefix);
  const users = natsUsers({ prefix, workers, withPublisher: true, jetstream });
  expect(users.map(({ name }) => name).sort()).toEqual(['one', 'operator', 'publisher', 'supervisor', 'two']);
  const ofNoUser = [
    '_INBOX.x',
    '_INBOX_other.x',
    '$SYS.REQ.SERVER.PING',
    '$SRV.INFO.other',
    'other.pop.boefje',
    ...['pop.boefje.x', 'task.cancel', 'kat.other', 'event.x', 'ctl.a.b.c'].map((rest) => `${prefix}.${rest}`),
    ...['STREAM.LIST', 'STREAM.NAMES', 'STREAM.CREATE.OTHER', 'STREAM.INFO.OTHER', 'ACCOUNT.PURGE.ROTA'].map(api),
    ...['PURGE', 'DELETE', 'SNAPSHOT', 'RESTORE', 'LEADER.STEPDOWN'].map((it) =>
      api(`STREAM.${it}.${streamOf(prefix)}`),
    ),
    ...[`STREAM.MSG.DELETE.${streamOf(prefix)}`, `CONSUMER.DELETE.${streamOf(prefix)}.x`].map(api),
    '$JS.ACK.OTHER.x',
  ];
  for (const user of users) {
    const connection = await connectNats(as(user.name));
    const refused = refusals(connection);
    const asked = { publish: new Set<string>(), subscription: new Set<string>() };
    for (const it of users) {
      for (const pattern of it.publish) asked.publish.add(concrete(pattern));
      for (const pattern of it.subscribe) asked.publish.add(concrete(pattern));
      for (const pattern of [...it.publish, ...it.subscribe]) asked.subscription.add(concrete(pattern));
    }
    for (const subject of ofNoUser) for (const kind of Object.values(asked)) kind.add(subject);
    for (const wide of ['>', '*', `${prefix}.>`, '$JS.>', '_INBOX_one.>', `${prefix}.event.>`])
      asked.subscription.add(wide);
    // Bodies that no receiver acts on.
    for (const subject of asked.publish) connection.publish(subject, '{"not":"this"}');
    for (const subject of asked.subscription) connection.subscribe(subject, { callback: () => {} });
    await connection.flush();
    const wanted = [
      ...[...asked.publish].filter((it) => !user.publish.some((mine) => covers(mine, it))).map((it) => `publish ${it}`),
      ...[...asked.subscription]
        .filter((it) => !user.subscribe.some((mine) => covers(mine, it)))
        .map((it) => `subscription ${it}`),
    ];
    await expect.poll(() => [...refused].sort(), { message: user.name }).toEqual(wanted.sort());
    await connection.close();
  }
  // The log that the tests before read does show them.
  expect((await violations()).length).toBeGreaterThan(100);
});

const api = (call: string) => `$JS.API.${call}`;
const streamOf = (prefix: string) => `${prefix.toUpperCase()}_KAT`;
const concrete = (pattern: string) => pattern.replaceAll('*', 'x').replace(/>$/, 'x.x');

/** Whether all that the second pattern matches is matched by the first. */
function covers(pattern: string, subject: string): boolean {
  const [mine, asked] = [pattern.split('.'), subject.split('.')];
  const open = mine.at(-1) === '>';
  if (open ? asked.length < mine.length : asked.length !== mine.length) return false;
  return mine.every((token, at) => token === '>' || (asked[at] !== '>' && (token === '*' || token === asked[at])));
}

test('a wrong password is refused at once, and does not show in the error', async () => {
  const url = server.url.replace('nats://', 'nats://one:hunter2@');
  const refused = await connectNats({ servers: url }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'UNAUTHORIZED' });
  expect(String(refused)).not.toContain('hunter2');
});

test('user and password may be in the URL', async () => {
  const connection = await connectNats({ servers: server.url.replace('nats://', 'nats://one:one@') });
  expect(connection.isClosed()).toBe(false);
  await connection.close();
});
