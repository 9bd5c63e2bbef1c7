import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { connect, query, statement } from '../../src/postgres/pool.ts';
import type { IncidentView } from '../../src/protocol/operator-status.ts';
import { IncidentLog } from '../../src/queue/maintenance/audit.ts';
import { startRotaAtHand, type RotaAtHand } from '../support/cli.ts';
import { startProxy } from '../support/proxy.ts';
import { queueUnderTest } from '../support/queue.ts';
import { chance } from '../../src/time-and-chance.ts';

vi.setConfig({ testTimeout: 60_000 });

let hand: RotaAtHand;
beforeAll(async () => {
  hand = await startRotaAtHand();
});
afterAll(() => hand.stop());

function incident(why: string): IncidentView {
  const at = new Date().toISOString();
  return { id: chance.timeOrderedUuid(), at, instance: 'aaaa', about: 'database', happened: 'away', why };
}

async function logUnderTest(at: { readonly url: string }, instance: string = chance.uuid().slice(0, 8)) {
  const sql = connect(at.url, { max: 2 });
  const vanished: string[] = [];
  const told = Promise.withResolvers<void>();
  const onVanished = (gone: string) => {
    vanished.push(gone);
    told.resolve();
  };
  const log = new IncidentLog({ sql, instance, onVanished, onError: () => {} });
  onTestFinished(async () => {
    await log.stop();
    await sql.end();
  });
  return { log, instance, vanished, told: told.promise };
}

test('what broke is told after the supervisor has ended, by whichever one is asked', async () => {
  const other = await hand.another();
  await other.drain();
  const { results } = await hand.json<{ results: IncidentView[] }>(['incidents']);
  expect(results.slice(0, 3).map(({ about, happened }) => `${about} ${happened}`)).toEqual([
    'supervisor ended',
    'supervisor started',
    'supervisor started',
  ]);
  expect(results[0]!.instance).toBe(results[1]!.instance);
  const { stdout } = await hand.run(['incidents', '--limit', '1']);
  expect(stdout).toMatch(/AT +SUPERVISOR +WHAT +WHY\n.* supervisor ended/);
  expect(stdout).toContain(`older: --before ${results[0]!.id}`);
  const older = await hand.json<{ results: IncidentView[] }>(['incidents', '--before', results[0]!.id]);
  expect(older.results[0]).toEqual(results[1]);
});

test('an outage of the database loses no incident, and writes none twice', async () => {
  const { url } = await queueUnderTest();
  const proxy = await startProxy({ port: Number(new URL(url).port), down: true });
  onTestFinished(() => proxy.stop());
  const through = new URL(url);
  through.port = String(proxy.port);
  const { log } = await logUnderTest({ url: through.href });
  log.start();
  const written = Array.from({ length: 450 }, (_none, at) => incident(`${at}`));
  for (const it of written) log.write(it);
  await expect(log.read({ before: null, limit: 200 })).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  proxy.up();
  await expect.poll(() => log.read({ before: null, limit: 1 }).catch(() => []), { timeout: 30_000 }).toHaveLength(1);
  const first = await log.read({ before: null, limit: 200 });
  const second = await log.read({ before: first.at(-1)!.id, limit: 200 });
  const third = await log.read({ before: second.at(-1)!.id, limit: 200 });
  const ids = written.map(({ id }) => id);
  expect([...first, ...second, ...third].map(({ id }) => id)).toEqual(ids.toSorted().toReversed());
});

test('a supervisor that vanished is told of once, by one that was there meanwhile; one that ended is not', async () => {
  const { url, sql } = await queueUnderTest();
  const [here, there] = [await logUnderTest({ url }, 'here'), await logUnderTest({ url }, 'there')];
  const seen = (instance: string, since: number, at: number) => sql`
    INSERT INTO instances
    VALUES (${instance}, now() - make_interval(secs => ${since}), now() - make_interval(secs => ${at}))`;
  await seen('killed', 900, 61);
  await seen('slow', 900, 40);
  await seen('here', 900, 5);
  // Back from an outage: it knows nothing of the others.
  await seen('there', 900, 300);
  there.log.start();
  await expect.poll(() => sql`SELECT instance FROM instances WHERE seen_at = since`).toEqual([{ instance: 'there' }]);
  expect(there.vanished).toEqual([]);
  here.log.start();
  await here.told;
  expect(here.vanished).toEqual(['killed']);
  await here.log.stop();
  expect(await sql`SELECT instance FROM instances ORDER BY instance`).toEqual([
    { instance: 'slow' },
    { instance: 'there' },
  ]);
});

test('incidents older than 30 days go, and those beyond the newest 10 000', async () => {
  const { sql } = await queueUnderTest();
  await sql`INSERT INTO incidents SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
       CASE WHEN n = 50 THEN now() - interval '31 days' ELSE now() END, 'aaaa', 'database', 'away', NULL
     FROM generate_series(1, 10030) n`;
  await query(sql, statement('maintenance/incidents-forget'), [200]);
  expect(await sql`SELECT count(*)::int AS count, min(id::text) AS first FROM incidents`).toEqual([
    { count: 9_999, first: '00000000-0000-7000-8000-000000000031' },
  ]);
});
