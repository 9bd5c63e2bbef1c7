import { setTimeout as delay } from 'node:timers/promises';
import { expect, inject, test, type TestContext } from 'vitest';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { connect, query, type Sql, transact, transaction } from '../../src/postgres/pool.ts';
import { inSession } from '../../src/postgres/session.ts';
import { createTaskQueue } from '../../src/queue/task-queue.ts';
import { createDatabase } from '../support/database.ts';
import { startProxy } from '../support/proxy.ts';
import { boefjeTask, popRequest } from '../support/queue.ts';

/** A database behind a proxy; both end with the test. */
async function behindProxy({
  onTestFinished,
}: TestContext): Promise<{ url: string; direct: string; proxy: Awaited<ReturnType<typeof startProxy>> }> {
  const database = await createDatabase();
  const proxy = await startProxy({ port: Number(new URL(inject('postgresUrl')).port) });
  const url = new URL(database.url);
  url.port = String(proxy.port);
  onTestFinished(async () => {
    await proxy.stop();
    await database.drop();
  });
  return { url: url.href, direct: database.url, proxy };
}

function pool({ onTestFinished }: TestContext, url: string, max: number, more: { statementMs?: number } = {}): Sql {
  const sql = connect(url, { max, ...more });
  onTestFinished(() => sql.end({ timeout: 1 }));
  return sql;
}

const secondsOf = async (work: Promise<unknown>) => {
  const from = performance.now();
  await work.catch(() => {});
  return (performance.now() - from) / 1_000;
};

test.concurrent('under load, a link that goes silent is given up, and pushes and pops go on within 25 s', async (context) => {
  const { url, direct, proxy } = await behindProxy(context);
  await migrate(direct);
  const queue = createTaskQueue({ databaseUrl: url, connections: 5 });
  context.onTestFinished(() => queue.drain());
  const ended = new AbortController();
  let longest = 0;
  const work = async (once: () => Promise<unknown>) => {
    while (!ended.signal.aborted) longest = Math.max(longest, await secondsOf(once()));
  };
  const works = [
    ...Array.from({ length: 6 }, () => work(() => queue.push('boefje', [boefjeTask()]))),
    ...Array.from({ length: 6 }, () => work(() => queue.pop('boefje', popRequest()))),
  ];
  await context.expect.poll(() => queue.pop('boefje', popRequest()).then(({ length }) => length)).toBe(1);
  proxy.silence();
  const silentFor = await secondsOf(
    (async () => {
      while (!(await pushed(queue).catch(() => false))) await delay(100);
    })(),
  );
  ended.abort();
  await Promise.all(works);
  expect(silentFor).toBeLessThan(25);
  expect(longest).toBeLessThan(25);
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => pushed(queue)));
  expect(outcomes).not.toContain(false);
});

async function pushed(queue: ReturnType<typeof createTaskQueue>): Promise<boolean> {
  const [outcome] = await queue.push('boefje', [boefjeTask()]);
  return outcome?.outcome === 'queued';
}

test.concurrent('one statement at a time: the first that is lost takes all silent connections of its pool with it', async (context) => {
  const { url, direct, proxy } = await behindProxy(context);
  const sql = pool(context, url, 5, { statementMs: 3_000 });
  const backends = async () => {
    const asked = Array.from({ length: 5 }, () =>
      query<{ pid: number }>(sql, 'SELECT pg_backend_pid() AS pid, pg_sleep(0.1)', []),
    );
    return new Set((await Promise.all(asked)).map(([row]) => row!.pid));
  };
  expect((await backends()).size).toBe(5);
  const watcher = pool(context, direct, 1);
  proxy.silence();
  expect(await secondsOf(query(sql, 'SELECT 1', []))).toBeGreaterThan(5);
  for (let statement = 1; statement <= 10; statement += 1)
    expect(await secondsOf(query(sql, 'SELECT 1', [])), `statement ${statement}`).toBeLessThan(3);
  expect((await backends()).size).toBe(5);
  expect(await query(watcher, 'SELECT 1 AS one', [])).toEqual([{ one: 1 }]);
});

test.concurrent('a slow statement is no silence: the server ends it, and its connection stays', async (context) => {
  const { url } = await behindProxy(context);
  const sql = pool(context, url, 1);
  const [before] = await query<{ pid: number }>(sql, 'SELECT pg_backend_pid() AS pid', []);
  await query(sql, 'SELECT pg_sleep(13)', []);
  await expect(query(sql, 'SELECT pg_sleep(60)', [])).rejects.toMatchObject({ code: '57014' });
  expect(await query(sql, 'SELECT pg_backend_pid() AS pid', [])).toEqual([before]);
});

test.concurrent('a statement that may run longer is not taken for silence before that', async (context) => {
  const { url } = await behindProxy(context);
  const sql = pool(context, url, 1, { statementMs: 40_000 });
  expect(await query(sql, 'SELECT pg_sleep(23), 1 AS one', [], { withinMs: 40_000 })).toMatchObject([{ one: 1 }]);
});

test.concurrent('what waits for a connection ends in time, is not run later, and leaves the pool whole', async (context) => {
  const { url, direct } = await behindProxy(context);
  const [sql, watcher] = [pool(context, url, 2), pool(context, direct, 1)];
  await query(watcher, 'CREATE TABLE made (by text)', []);
  const begun = [Promise.withResolvers<null>(), Promise.withResolvers<null>()];
  const busy = begun.map(({ resolve }) =>
    transaction(sql, async (connection) => {
      resolve(null);
      await query(connection, 'SELECT pg_sleep(3)', []);
    }),
  );
  await Promise.all(begun.map(({ promise }) => promise));
  const insert = (by: string) => `INSERT INTO made VALUES ('${by}')`;
  const soon = { withinMs: 500 };
  const late = [
    ...Array.from({ length: 3 }, () =>
      transaction(sql, (connection) => query(connection, insert('transaction'), []), soon),
    ),
    query(sql, insert('statement'), [], soon),
  ];
  await Promise.all(late.map((one) => expect(one).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })));
  await Promise.all(busy);
  await Promise.all(
    Array.from({ length: 8 }, () => transaction(sql, (connection) => query(connection, 'SELECT 1', []))),
  );
  expect(await query(watcher, 'SELECT by FROM made', [])).toEqual([]);
});

test.concurrent('a server that accepts connections and says nothing keeps no client waiting', async (context) => {
  const { url, proxy } = await behindProxy(context);
  proxy.silenceAll();
  const sql = pool(context, url, 2);
  const asked = Array.from({ length: 6 }, () => transact(() => query(sql, 'SELECT 1', [])));
  await Promise.all(asked.map((one) => expect(one).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })));
  proxy.up();
  // Of this test: several run at once.
  await context.expect.poll(() => query(sql, 'SELECT 1 AS one', []).catch(() => [])).toEqual([{ one: 1 }]);
  await Promise.all(Array.from({ length: 8 }, () => query(sql, 'SELECT 1', [])));
});

test.concurrent('a session of hours is asked after: it goes on where the server is there, and ends where it is not', async (context) => {
  const { url, proxy } = await behindProxy(context);
  await inSession(url, (client) => client.query('SELECT pg_sleep(24)'));
  const silent = inSession(url, async (client) => {
    proxy.silenceAll();
    await client.query('SELECT pg_sleep(1)');
  });
  const seconds = secondsOf(silent);
  await expect(silent).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  expect(await seconds).toBeLessThan(36);
}, 90_000);
