import { expect, onTestFinished, test } from 'vitest';
import { Limits, type NewLimit } from '../../src/queue/limits/limits.ts';
import { boefjeTask, queueUnderTest, type QueueUnderTest } from '../support/queue.ts';

/** Hosts that a limit knows. A million of them, looked at in one statement, kept the releasers' lock for 10 s. */
const hosts = 100_000;

const perHost: NewLimit = {
  name: 'host',
  kind: 'limit',
  scheduler: 'boefje',
  organisation: null,
  plugin: null,
  image: null,
  ooiType: null,
  template: 'host:{host}',
  spacingMs: 86_400_000,
  burst: 3,
  concurrency: null,
  exemptManual: false,
  hours: null,
  note: null,
  setBy: null,
};

function limitsOf({ sql, queue }: QueueUnderTest): Limits {
  const onError = (error: unknown) => {
    throw error;
  };
  const limits = new Limits({ sql, schedulerIds: ['boefje'], queue, onError });
  onTestFinished(() => limits.stop());
  return limits;
}

const free = async ({ sql }: QueueUnderTest) =>
  (await sql<{ n: number }[]>`SELECT count(*)::int AS n FROM queue WHERE NOT held`)[0]!.n;

async function passUntil(limits: Limits, done: () => Promise<boolean>): Promise<void> {
  for (let passes = 0; !(await done()); passes += 1) {
    expect(passes, 'passes').toBeLessThan(1_000);
    await limits.releaser.pass();
  }
}

test('other numbers of a limit with very many keys hold for all of them, also where the supervisor that took them has ended', async () => {
  const under = await queueUnderTest();
  const one = limitsOf(under);
  await one.set(perHost);
  // More than one part of the keys, and more than one of the rows of a part.
  const tasks = Array.from({ length: 3_600 }, (_, n) =>
    boefjeTask(`Hostname|internet|h${n % 1_200}.example.com`, { organisation: `o${Math.floor(n / 1_200)}` }),
  );
  await under.queue.push('boefje', tasks);
  await passUntil(one, async () => (await free(under)) === 3_600);
  await under.sql`
    INSERT INTO limiters (key, tat, next_at)
    SELECT 'host/host:z' || n, now() + interval '1 day', now() + interval '1 day' FROM generate_series(1, ${hosts}::integer) n`;

  await one.set({ ...perHost, burst: 1 });
  await one.stop();
  const other = limitsOf(under);
  const revisited = async () => {
    const [row] = await under.sql`SELECT FROM limits WHERE revisit IS NOT NULL`;
    return row === undefined;
  };
  expect(await revisited()).toBe(false);
  await passUntil(other, revisited);
  const [late] =
    await under.sql`SELECT count(*)::int AS n FROM limiters WHERE next_at > now() AND next_at < 'infinity' AND key LIKE 'host/host:z%'`;
  expect(late).toEqual({ n: 0 });
  await passUntil(other, async () => {
    const [row] = await under.sql`SELECT FROM queue WHERE held AND parked IS NULL LIMIT 1`;
    return row === undefined && (await free(under)) === 1_200;
  });
  const [most] =
    await under.sql`SELECT max(n)::int AS n FROM (SELECT count(*) AS n FROM queue WHERE NOT held GROUP BY limits) AS of_host`;
  expect(most).toEqual({ n: 1 });
});

test('limiters that are of no use any more are forgotten in parts, and no other', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(perHost);
  await under.sql`
    INSERT INTO limiters (key, tat, next_at)
    SELECT 'host/host:z' || n, CASE WHEN n % 1000 = 0 THEN now() ELSE now() - interval '2 hours' END, 'infinity' FROM generate_series(1, 12000) n`;
  await under.sql`INSERT INTO limiters (key) SELECT 'gone/' || n FROM generate_series(1, 3000) n`;
  const left = async () => (await under.sql<{ n: number }[]>`SELECT count(*)::int AS n FROM limiters`)[0]!.n;
  let looks = 0;
  for (; (await left()) > 12; looks += 1) {
    expect(looks).toBeLessThan(20);
    await limits.releaser.forget();
  }
  expect(looks).toBeGreaterThan(2);
  expect(await under.sql`SELECT FROM limiters WHERE tat < now() - interval '1 hour'`).toHaveLength(0);
});

test('what was let go and may be stays let go, whatever else of its limit or window is set', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  const nights: NewLimit = {
    ...perHost,
    name: 'nights',
    kind: 'window',
    template: '',
    spacingMs: null,
    hours: { zone: 'UTC', cron: '* * * * *', seconds: 86_400 },
  };
  await limits.set(nights);
  await limits.set({ ...perHost, template: 'all', concurrency: 5_000, spacingMs: null });
  // What was claimed before is counted first.
  await limits.releaser.look();
  await limits.releaser.applied();
  const tasks = Array.from({ length: 3_000 }, (_, n) => boefjeTask(`Hostname|internet|h${n}.example.com`));
  await under.queue.push('boefje', tasks);
  await passUntil(limits, async () => (await free(under)) === 3_000);
  await under.sql.unsafe(`
    CREATE TABLE held_again (id uuid);
    CREATE FUNCTION held_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO held_again VALUES (NEW.id); RETURN NULL; END $$;
    CREATE TRIGGER held_again AFTER UPDATE ON queue FOR EACH ROW WHEN (NEW.held AND NOT OLD.held) EXECUTE FUNCTION held_again()`);
  await limits.set({ ...nights, note: 'for the night shift' });
  await limits.set({ ...perHost, template: 'all', concurrency: 4_000, spacingMs: null });
  await passUntil(limits, async () => (await under.sql`SELECT FROM limits WHERE revisit IS NOT NULL`).length === 0);
  expect(await under.sql`SELECT FROM held_again`).toHaveLength(0);
  // Numbers that allow less hold back what they do not allow, and nothing for ever.
  await limits.set({ ...perHost, template: 'all', concurrency: 500, spacingMs: null });
  await passUntil(limits, async () => {
    const [row] = await under.sql`SELECT FROM queue WHERE held AND parked IS NULL LIMIT 1`;
    return row === undefined && (await free(under)) === 500;
  });
  expect((await under.sql`SELECT FROM held_again`).length).toBeLessThan(4_000);
});

test('what a window holds that never opens again is let go when the window ends', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  const hours = { zone: 'UTC', cron: '0 22 1 1 *', seconds: 60 };
  await limits.set({ ...perHost, name: 'w', kind: 'window', template: '', spacingMs: null, hours });
  await under.queue.push('boefje', [boefjeTask()]);
  await limits.releaser.pass();
  // A cron may name its years, and these have passed.
  await under.sql`UPDATE limits SET hours = '{"zone": "UTC", "cron": "0 22 1 1 * 0 2020", "seconds": 60}'`;
  await under.sql`UPDATE limiters SET next_at = now()`;
  await limits.releaser.pass();
  await limits.unset('w', 'window');
  await passUntil(limits, async () => (await free(under)) === 1);
});
