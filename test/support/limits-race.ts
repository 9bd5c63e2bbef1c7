import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { connect, type Sql } from '../../src/postgres/pool.ts';
import { Limits, type NewLimit } from '../../src/queue/limits/limits.ts';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import type { RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { type Fault, putInto, rewriting } from './limits-race-faults.ts';
import { check, type Checked, record } from './limits-race-record.ts';
import { type Random, type RaceKind, seedQueued, tight, wide } from './limits-race-kinds.ts';
import { boefjeTask, popRequest, queueUnderTest, type QueueUnderTest } from './queue.ts';

export interface RaceOptions {
  readonly kind: 'tight' | 'wide';
  readonly seed: number;
  readonly seconds: number;
  readonly fault?: Fault;
  /** Before admitting and after it. */
  readonly pauseMs?: number;
}

/** Repeatable: the seed of a failure is in its message. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Supervisor {
  readonly queue: RunningTaskQueue;
  readonly limits: Limits;
}

function supervisor(under: QueueUnderTest, { fault, pauseMs }: RaceOptions, errors: unknown[]): Supervisor {
  const queue = under.another();
  const sql = connect(under.url, { max: 3 });
  const limits = new Limits({
    sql: fault === undefined && pauseMs === undefined ? sql : rewriting(sql, fault ?? {}, pauseMs ?? 0),
    schedulerIds: ['boefje'],
    queue,
    onError: (error) => errors.push(error),
  });
  limits.start();
  onTestFinished(async () => {
    await limits.stop();
    await sql.end({ timeout: 1 });
  });
  return { queue, limits };
}

/** Ends sessions in the middle of what they do: what a killed process leaves. */
async function kill(sql: Sql, random: Random): Promise<void> {
  await sql.unsafe(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND (abs(hashint4(pid)) + ${random(1_000)}) % 4 = 0`,
  );
}

async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === 500) throw error;
      await delay(20);
    }
  }
}

/** Two supervisors, three claimers, kills and lease deaths, under limits of the seed's. @returns what was checked, and what was not as it should be */
export async function race(options: RaceOptions): Promise<Checked> {
  const { seed, seconds, fault } = options;
  const random = randomOf(seed);
  const kind = options.kind === 'tight' ? tight(random) : wide(random);
  const under = await queueUnderTest({ retryMs: 0, maxAttempts: 1_000 });
  await record(under.sql);
  if (fault !== undefined) await putInto(under.sql, fault);
  const errors: unknown[] = [];
  const supervisors = [supervisor(under, options, errors), supervisor(under, options, errors)];
  for (const limit of kind.limits) await supervisors[0]!.limits.set(limit);
  await running(under, supervisors, kind, random, performance.now() + seconds * 1_000);
  // Connections that were killed fail the first time that they are used.
  const judge = connect(under.url, { max: 1 });
  onTestFinished(() => judge.end({ timeout: 1 }));
  const checked = await check(judge, kind.limits, kind.keysOf);
  const violations = [...checked.violations];
  violations.push(...(await drain(judge, supervisors[0]!, kind.limits)));
  violations.push(...errors.filter((error) => /deadlock/.test(String(error))).map(String));
  return { ...checked, violations: violations.map((told) => `seed ${seed}, ${options.kind}: ${told}`) };
}

async function running(
  under: QueueUnderTest,
  supervisors: readonly Supervisor[],
  kind: RaceKind,
  random: Random,
  deadline: number,
): Promise<void> {
  const going = () => performance.now() < deadline;
  let pushed = 0;
  const pushes = async () => {
    while (going()) {
      const tasks = Array.from({ length: 1 + random(kind.pushed) }, () => {
        const { boefje, host, organisation } = kind.task((pushed += 1));
        const group = random(6) === 0 ? `${boefje} ${random(6)}` : undefined;
        return boefjeTask(`Hostname|internet|${host}`, {
          boefje,
          organisation,
          priority: 2 + random(50),
          ...(group ? { group } : {}),
        });
      });
      await untilDone(() => supervisors[random(2)]!.queue.push('boefje', tasks));
      await delay(random(kind.pushEveryMs));
    }
  };
  const seeds = async () => {
    while (going() && kind.seeded > 0) {
      await untilDone(() => seedQueued(under.sql, kind));
      await delay(50);
    }
  };
  const settle = async (queue: RunningTaskQueue, tasks: readonly ClaimedTask[]) => {
    await delay(random(kind.worksMs));
    const status = (['completed', 'completed', 'failed', 'queued'] as const)[random(4)]!;
    // Some workers die: the lease ends by itself.
    if (random(12) === 0) return;
    const patches = tasks.map(({ id, leaseId }) => ({ id, leaseId, via: 'nats' as const, status }));
    await queue.patch(patches).catch(() => {});
  };
  const work = new Set<Promise<unknown>>();
  const claims = async (which: number) => {
    while (going()) {
      const { queue } = supervisors[which % 2]!;
      const value = Array.from({ length: 30 }, () => kind.task(random(pushed + 1)).organisation);
      const filters =
        kind.filters && random(4) === 0 ? { filters: [{ column: 'organisation', operator: 'in', value }] } : null;
      // What is admitted heaps up meanwhile.
      await delay(random(kind.claimEveryMs));
      const limit = kind.leastClaimed + random(kind.claimed);
      const asked = popRequest({ limit, waitMs: 50, leaseMs: kind.leaseMs, filters: filters as never });
      const tasks = await queue.pop('boefje', asked).catch(() => []);
      if (tasks.length === 0) continue;
      const settling = settle(queue, tasks).finally(() => work.delete(settling));
      work.add(settling);
    }
  };
  const kills = async () => {
    while (going()) {
      await delay(kind.killEveryMs + random(2 * kind.killEveryMs));
      if (!going()) return;
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
      await delay(kind.passEveryMs);
    }
  };
  await Promise.all([pushes(), seeds(), claims(0), claims(1), claims(2), kills(), sweeps(), passes(0), passes(1)]);
  await Promise.all(work);
}

/** For so long nothing may stay as it is. */
const stuckMs = 30_000;

/** Nothing is stuck: with no more limits than what is there all goes, and no claim is remembered whose lease has ended. */
async function drain(sql: Sql, { queue, limits }: Supervisor, set: readonly NewLimit[]): Promise<readonly string[]> {
  for (const { name } of set) await untilDone(() => limits.unset(name, 'limit'));
  let [least, since] = [Number.POSITIVE_INFINITY, performance.now()];
  for (;;) {
    const [row] = await sql<{ queued: number; leased: number; claims: number }[]>`
      SELECT (SELECT count(*) FROM queue)::int AS queued, (SELECT count(*) FROM leases)::int AS leased,
        (SELECT count(*) FROM limit_claims)::int AS claims`;
    const { queued, leased, claims } = row!;
    if (queued + leased === 0) return claims === 0 ? [] : [`${claims} claims are remembered whose leases have ended`];
    if (queued + leased < least) [least, since] = [queued + leased, performance.now()];
    else if (performance.now() - since > stuckMs)
      return [`${queued} rows and ${leased} leases are stuck: ${JSON.stringify(await stuck(sql))}`];
    await untilDone(() => queue.sweep());
    const tasks = await untilDone(() => queue.pop('boefje', popRequest({ limit: 300, waitMs: 100, leaseMs: 10_000 })));
    const patches = tasks.map(({ id, leaseId }) => ({
      id,
      leaseId,
      via: 'nats' as const,
      status: 'completed' as const,
    }));
    await untilDone(() => queue.patch(patches));
  }
}

/** Where they are: at which key, and when that is looked at. */
function stuck(sql: Sql): PromiseLike<readonly object[]> {
  return sql`
    SELECT q.held, q.parked, l.next_at::text, l.next_at - now() < interval '1 second' AS due, count(*)::int AS rows
    FROM queue q LEFT JOIN limiters l ON l.key = q.parked GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 10`;
}
