import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/postgres/pool.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';

/** Every request is answered within 12 s, a pop 2 s after its wait, while the database takes everything and answers nothing. */
let house: House;
let rota: TestRota;

beforeAll(async () => {
  house = await openHouse();
  rota = await house.start();
});
afterAll(() => house.stop());

const tables = ['queue', 'tasks', 'leases', 'schedules'];

/** Other sessions hold the tables, each one of them, so that no session waits while it holds: statements hang. @returns what lets them go */
async function hang(): Promise<() => Promise<void>> {
  const holder = connect(house.databaseUrl, { max: tables.length, statementMs: 60_000 });
  const over = Promise.withResolvers<null>();
  const holds: Promise<unknown>[] = [];
  const locks = tables.map((table) => {
    const locked = Promise.withResolvers<null>();
    const held = holder.begin(async (session) => {
      await session.unsafe('SET LOCAL idle_in_transaction_session_timeout = 0');
      await session.unsafe(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
      locked.resolve(null);
      await over.promise;
    });
    held.catch(locked.reject);
    holds.push(held);
    return locked.promise;
  });
  await Promise.all(locks);
  const end = async () => {
    over.resolve(null);
    await Promise.all(holds);
    await holder.end();
  };
  onTestFinished(() => end().catch(() => {}));
  return end;
}

/** Below the server's max_payload of 1 MiB. */
const large = 900_000;

const report = (recipe: string) => ({
  organisation: 'aa',
  priority: 1,
  data: { organisation_id: 'aa', report_recipe_id: recipe },
});

async function timed<T>(asked: Promise<T>): Promise<{ readonly ms: number; readonly answer: T }> {
  const began = performance.now();
  const answer = await asked;
  return { answer, ms: performance.now() - began };
}

test('over NATS and REST, whatever is asked', async () => {
  const end = await hang();
  const { connection } = house.client;
  const id = randomUUID();
  const overNats = async (target: string, body: object) => {
    const prefix = house.environment['SCHEDULER_NATS_PREFIX']!;
    const reply = await connection.request(`${prefix}.${target}`, JSON.stringify(body), { timeout: 30_000 });
    return Number(reply.headers?.get('Nats-Service-Error-Code') || 200);
  };
  const overRest = async (method: string, path: string, body?: object) => {
    const init = { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(rota.api + path, body === undefined ? { method } : init);
    await response.text();
    if (response.status === 503) expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    return response.status;
  };
  const asked: readonly (readonly [string, Promise<number>, number])[] = [
    ['push', overNats('push.report', report('a')), 12_000],
    ['patch', overNats('task.patch', { id, lease_id: id, status: 'cancelled' }), 12_000],
    ['get', overNats('task.get', { id, lease_id: id }), 12_000],
    ['heartbeat', overNats('task.heartbeat', { leases: [{ id, lease_id: randomUUID() }] }), 12_000],
    ['a pop that waits', overNats('pop.report', { wait_ms: 1_000 }), 3_000],
    ['a pop that does not', overNats('pop.report', {}), 12_000],
    ['REST push', overRest('POST', '/schedulers/report/push', report('b')), 12_000],
    ['REST get', overRest('GET', `/tasks/${id}`), 12_000],
    ['REST patch', overRest('PATCH', `/tasks/${id}`, { status: 'cancelled' }), 12_000],
    ['REST list', overRest('GET', '/tasks'), 12_000],
    ['REST schedules', overRest('GET', '/schedules'), 12_000],
    ['REST pop', overRest('POST', '/schedulers/report/pop'), 12_000],
    ['REST pop that waits', overRest('POST', '/schedulers/report/pop?wait=1'), 3_000],
  ];
  const answers = await Promise.all(
    asked.map(async ([what, answer, ms]) => ({ what, most: ms, ...(await timed(answer)) })),
  );
  // The service looks every half a second for what is late.
  expect(answers.filter(({ ms, most }) => ms > most + 1_000)).toEqual([]);
  expect(answers.filter(({ answer }) => answer !== 503 && answer !== 200)).toEqual([]);
  await end();
});

test('a client that fills its share of one kind takes no place from heartbeats, pops or commands', async () => {
  const end = await hang();
  const ask = async (target: string, body: object, padded = 0) => {
    const subject = `${house.environment['SCHEDULER_NATS_PREFIX']!}.${target}`;
    const text = JSON.stringify(body).padEnd(padded);
    const reply = await house.client.connection.request(subject, text, { timeout: 30_000 });
    const { error } = reply.json<{ error?: { code: string } } | null>() ?? {};
    return error?.code ?? 'answered';
  };
  const id = randomUUID();
  const filling = Array.from({ length: 40 }, (_, at) => ask('push.report', report(`filling ${at}`), large));
  // Those that find no place are refused at once.
  await expect(
    Promise.any(filling.map(async (one) => (await one) === 'TOO_MANY_REQUESTS' || Promise.reject())),
  ).resolves.toBe(true);
  const others = [
    ask('task.heartbeat', { leases: [{ id, lease_id: randomUUID() }] }),
    ask('pop.report', { wait_ms: 100 }),
    ask('ctl.status', {}),
  ];
  const answers = await Promise.all(others);
  for (const full of ['TOO_MANY_REQUESTS', 'MAILBOX_FULL']) expect(answers).not.toContain(full);
  await end();
  await Promise.all(filling);
});

test('what its requester abandoned while it waited is not done once the database is back', async () => {
  const end = await hang();
  const leaving = new AbortController();
  const push = (recipe: string, signal?: AbortSignal) =>
    fetch(`${rota.api}/schedulers/report/push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(report(recipe)),
      ...(signal === undefined ? {} : { signal }),
    });
  // As many statements as there may be are in flight with these.
  const first = Array.from({ length: 4 }, async (_none, at) => {
    await delay(at * 50);
    return push(`first-${at}`);
  });
  await delay(400);
  const abandoned = Array.from({ length: 20 }, (_none, at) =>
    push(`abandoned-${at}`, leaving.signal).catch(() => null),
  );
  await delay(300);
  leaving.abort();
  await Promise.all(abandoned);
  // The next look of those that wait.
  await delay(1_000);
  await end();
  expect((await Promise.all(first)).map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  const [row] = await house.sql<{ done: number }[]>`SELECT count(*)::integer AS done FROM tasks
    WHERE data ->> 'report_recipe_id' LIKE 'abandoned%'`;
  expect(row!.done).toBe(0);
});
