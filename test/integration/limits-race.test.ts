import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { connect, type Sql } from '../../src/postgres/pool.ts';
import { Limits, type NewLimit } from '../../src/queue/limits/limits.ts';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import type { RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { boefjeTask, popRequest, queueUnderTest, type QueueUnderTest } from '../support/queue.ts';

/** Longer ones by hand: LIMITS_RACE_SECONDS=3600. Each race has limits and a database of its own. */
const seconds = Number(process.env['LIMITS_RACE_SECONDS'] ?? 30);
const perRace = 15;

const aLimit = (fields: Partial<NewLimit> & { name: string }): NewLimit => ({
  kind: 'limit',
  scheduler: 'boefje',
  organisation: null,
  plugin: null,
  image: null,
  ooiType: null,
  template: 'all',
  spacingMs: null,
  burst: 1,
  concurrency: null,
  exemptManual: false,
  hours: null,
  note: null,
  setBy: null,
  ...fields,
});

/** Repeatable: the seed of a failure is in its message. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Keeps its own record of what is claimed and for how long, by the database's clock, whatever the mechanism writes down. */
async function record(sql: Sql): Promise<void> {
  await sql.unsafe(`
    CREATE TABLE record_claims (task_id uuid, at timestamptz, xact xid8);
    CREATE TABLE record_ends (task_id uuid, at timestamptz);
    CREATE TABLE record_spent (key varchar, unit varchar, xact xid8, at timestamptz);
    CREATE INDEX ON record_ends (task_id, at);
    CREATE INDEX ON record_spent (xact);
    CREATE FUNCTION record() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF TG_TABLE_NAME = 'limit_changes' THEN INSERT INTO record_spent VALUES (NEW.key, NEW.unit, NEW.xact, NEW.at);
      ELSIF TG_OP = 'DELETE' THEN INSERT INTO record_ends VALUES (OLD.task_id, clock_timestamp());
      ELSE INSERT INTO record_claims VALUES (NEW.task_id, clock_timestamp(), pg_current_xact_id()); END IF;
      RETURN NULL; END $$;
    CREATE TRIGGER record_claimed AFTER INSERT ON leases FOR EACH ROW EXECUTE FUNCTION record();
    CREATE TRIGGER record_ended AFTER DELETE ON leases FOR EACH ROW EXECUTE FUNCTION record();
    CREATE TRIGGER record_spent AFTER INSERT ON limit_changes FOR EACH ROW WHEN (NEW.spent) EXECUTE FUNCTION record()`);
}

interface Supervisor {
  readonly queue: RunningTaskQueue;
  limits: Limits;
  sql: Sql;
}

function supervisor(under: QueueUnderTest, errors: unknown[]): Supervisor {
  const queue = under.another();
  const made: Partial<Supervisor> = { queue };
  const start = () => {
    const sql = connect(under.url, { max: 3 });
    made.sql = sql;
    made.limits = new Limits({
      sql,
      schedulerIds: ['boefje'],
      queue,
      onError: (error) => errors.push(error),
    });
    made.limits.start();
  };
  start();
  onTestFinished(async () => {
    await made.limits!.stop();
    await made.sql!.end({ timeout: 1 });
  });
  return made as Supervisor;
}

/** Ends sessions in the middle of what they do: what a killed process leaves. */
async function kill(sql: Sql, random: (below: number) => number): Promise<void> {
  await sql.unsafe(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND (abs(hashint4(pid)) + ${random(1_000)}) % 4 = 0`,
  );
}

const first = Number(process.env['LIMITS_RACE_SEED'] ?? Date.now() % 1_000_000_000);
const races = Math.ceil(seconds / perRace);
const checked = { claims: 0, admissions: 0 };

afterAll(() => {
  // A claim of a task with two keys is admitted by two.
  process.stdout.write(
    `limits: ${checked.admissions} admissions of ${checked.claims} claims checked in ${races} races from seed ${first} on\n`,
  );
});

test.for(Array.from({ length: races }, (_, n) => first + n))(
  'no limit is ever exceeded, whatever is killed; nothing stays behind: seed %i',
  { timeout: 180_000 },
  async (seed) => {
    const one = await race(seed, Math.min(perRace, seconds));
    checked.claims += one.claims;
    checked.admissions += one.admissions;
  },
);

async function race(seed: number, forSeconds: number): Promise<{ claims: number; admissions: number }> {
  const random = randomOf(seed);
  const under = await queueUnderTest({ retryMs: 0, maxAttempts: 1_000 });
  await record(under.sql);
  const errors: unknown[] = [];
  const supervisors = [supervisor(under, errors), supervisor(under, errors)];
  // Tight limits show races, wide ones many admissions.
  const scale = [1, 1, 20][random(3)]!;
  const spacingMs = (15 + random(40)) / scale;
  const burst = 1 + random(3 * scale);
  const concurrency = 1 + random(3 * scale);
  const ofHost = 1 + random(2 * scale);
  const set = [
    aLimit({ name: 'api', plugin: 'shodan', template: 'api:shodan', spacingMs, burst }),
    aLimit({ name: 'few', plugin: 'nmap', template: 'boefje:{boefje}', concurrency }),
    aLimit({
      name: 'host',
      plugin: 'dns',
      template: 'host:{host}',
      concurrency: ofHost,
      spacingMs: (20 + random(60)) / scale,
      burst: 2 * scale,
    }),
  ];
  for (const limit of set) await supervisors[0]!.limits.set(limit);
  await expect.poll(async () => (await under.sql`SELECT count(*)::int AS n FROM limits`)[0]!['n']).toBe(3);

  const deadline = performance.now() + forSeconds * 1_000;
  const going = () => performance.now() < deadline;
  const retry = async (work: () => Promise<unknown>) => {
    for (;;) {
      try {
        return await work();
      } catch {
        await delay(20);
      }
    }
  };
  let pushed = 0;
  const pushes = async () => {
    while (going()) {
      const tasks = Array.from({ length: 1 + random(30 * scale) }, () => {
        pushed += 1;
        const boefje = ['shodan', 'nmap', 'dns', 'dns'][random(4)]!;
        const group = random(6) === 0 ? `${boefje} ${random(6)}` : undefined;
        const ooi = `Hostname|internet|h${random(6)}.example.com`;
        return boefjeTask(ooi, {
          boefje,
          organisation: `o${pushed}`,
          priority: 2 + random(50),
          ...(group ? { group } : {}),
        });
      });
      await retry(() => supervisors[random(2)]!.queue.push('boefje', tasks));
      await delay(random(40));
    }
  };
  let left = 0;
  const settle = async (queue: RunningTaskQueue, tasks: readonly ClaimedTask[]) => {
    await delay(random(60));
    const status = (['completed', 'completed', 'failed', 'queued'] as const)[random(4)]!;
    // Some workers die: the lease ends by itself.
    if (random(12) === 0) return;
    await queue
      .patch(tasks.map(({ id, leaseId }) => ({ id, leaseId, via: 'nats' as const, status })))
      .catch(() => (left += 1));
  };
  const work: Promise<unknown>[] = [];
  const claims = async (which: number) => {
    while (going()) {
      const { queue } = supervisors[which % 2]!;
      const filters =
        random(4) === 0
          ? {
              filters: [
                {
                  column: 'organisation',
                  operator: 'in',
                  value: Array.from({ length: 30 }, () => `o${random(pushed + 1)}`),
                },
              ],
            }
          : null;
      // What is admitted heaps up meanwhile.
      await delay(random(80));
      const asked = popRequest({ limit: 1 + random(20 * scale), waitMs: 50, leaseMs: 300, filters: filters as never });
      const tasks = await queue.pop('boefje', asked).catch(() => []);
      if (tasks.length > 0) work.push(settle(queue, tasks));
    }
  };
  const kills = async () => {
    while (going()) {
      await delay(300 + random(700));
      await kill(under.sql, random).catch(() => {});
    }
  };
  const sweeps = async () => {
    while (going()) {
      await delay(200);
      await supervisors[random(2)]!.queue.sweep().catch(() => {});
    }
  };
  // Both look at once, over and over: by themselves they seldom meet.
  const passes = async (which: number) => {
    while (going()) {
      await supervisors[which]!.limits.releaser.pass().catch(() => {});
    }
  };
  await Promise.all([pushes(), claims(0), claims(1), claims(2), kills(), sweeps(), passes(0), passes(1)]);
  await Promise.all(work);

  const told = `seed ${seed}`;
  const checked = await expectNeverOver(under.sql, set, told);
  // Nothing is stuck: with no more limits than what is there, all goes.
  const rest = performance.now() + 60_000;
  for (const { name } of set) await retry(() => supervisors[1]!.limits.unset(name, 'limit'));
  for (;;) {
    const [row] = await under.sql`SELECT count(*)::int AS n FROM queue`;
    if (row!['n'] === 0) break;
    expect(performance.now(), `${told}: rows are stuck`).toBeLessThan(rest);
    const tasks = await supervisors[0]!.queue.pop('boefje', popRequest({ limit: 100, waitMs: 100 }));
    await supervisors[0]!.queue.patch(
      tasks.map(({ id, leaseId }) => ({ id, leaseId, via: 'nats' as const, status: 'completed' as const })),
    );
  }
  const deadlocks = errors.filter((error) => /deadlock/.test(String(error)));
  expect(deadlocks, told).toEqual([]);
  return checked;
}

interface Spent {
  readonly key: string;
  readonly began: number;
  readonly ended: number;
}

/** By the record of claims and ends, in microseconds. @returns how much was checked */
async function expectNeverOver(sql: Sql, set: readonly NewLimit[], told: string) {
  // Each claim of a limited task was booked under each key that it should have.
  const [missed] = await sql.unsafe(`
    SELECT count(*)::int AS n, (SELECT count(*)::int FROM record_claims) AS claims
    FROM record_claims c JOIN tasks t ON t.id = c.task_id
    WHERE NOT EXISTS (
      SELECT FROM record_spent s
      WHERE s.xact = c.xact AND s.unit IN (t.id::text, 'boefje ' || (t.data ->> 'deduplication_key')) AND s.key LIKE CASE t.data #>> '{boefje,id}' WHEN 'shodan' THEN 'api/%' WHEN 'nmap' THEN 'few/%' ELSE 'host/%' END)`);
  expect(missed!['n'], `${told}: claimed without being counted`).toBe(0);
  const spent = await sql.unsafe<Spent[]>(`
    WITH claims AS (
      SELECT c.xact, coalesce('boefje ' || (t.data ->> 'deduplication_key'), t.id::text) AS unit, c.task_id, c.at,
        (SELECT min(e.at) FROM record_ends e WHERE e.task_id = c.task_id AND e.at > c.at) AS ended
      FROM record_claims c JOIN tasks t ON t.id = c.task_id
    ),
    lasted AS (SELECT xact, unit, bool_or(ended IS NULL) AS open, max(ended) AS ended FROM claims GROUP BY 1, 2)
    SELECT s.key, extract(epoch FROM s.at)::float8 * 1000000 AS began,
      CASE WHEN l.open THEN 'Infinity' ELSE extract(epoch FROM l.ended)::float8 * 1000000 END::float8 AS ended
    FROM (SELECT key, unit, xact, min(at) AS at FROM record_spent GROUP BY 1, 2, 3) AS s
      JOIN lasted l ON l.xact = s.xact AND l.unit = s.unit
    ORDER BY s.at`);
  for (const [key, units] of Map.groupBy(spent, (it) => it.key)) {
    const { spacingMs, burst, concurrency } = set.find(({ name }) => key.startsWith(`${name}/`))!;
    if (spacingMs !== null)
      expect(overRate(units, spacingMs * 1_000, burst), `${told}: ${key} over its rate`).toEqual([]);
    if (concurrency !== null) expect(mostAtOnce(units), `${told}: ${key} at once`).toBeLessThanOrEqual(concurrency);
  }
  expect(spent.length, `${told}: nothing to check`).toBeGreaterThan(30);
  return { claims: Number(missed!['claims']), admissions: spent.length };
}

/** GCRA by itself: claims that came before their time, by more than the microsecond that the sum of intervals is rounded to. */
function overRate(units: readonly Spent[], spacing: number, burst: number): readonly Spent[] {
  let theoretical = Number.NEGATIVE_INFINITY;
  return units.filter((unit) => {
    const isEarly = unit.began < theoretical - (burst - 1) * spacing - 2;
    theoretical = Math.max(theoretical, unit.began) + spacing;
    return isEarly;
  });
}

function mostAtOnce(units: readonly Spent[]): number {
  const changes = units.flatMap(({ began, ended }) => [
    { at: began, by: 1 },
    { at: ended, by: -1 },
  ]);
  let [now, most] = [0, 0];
  // What ends at the moment at which another begins has ended.
  for (const { by } of changes.toSorted((a, b) => a.at - b.at || a.by - b.by)) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}
