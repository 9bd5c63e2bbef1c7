import { expect, onTestFinished, test, vi } from 'vitest';
import { Limits, type NewLimit, setDefaultLimits } from '../../src/queue/limits/limits.ts';
import { Pauses } from '../../src/queue/maintenance/pauses.ts';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import { aLimit } from '../support/new-limit.ts';
import { boefjeTask, ooiOf, popRequest, queueUnderTest, type QueueUnderTest } from '../support/queue.ts';

function fail(error: unknown): never {
  throw error;
}

/** Limits of a supervisor that is not started: each test makes its passes itself. */
function limitsOf({ sql, queue }: QueueUnderTest): Limits {
  const limits = new Limits({
    sql,
    schedulerIds: ['boefje', 'report'],
    queue,
    onError: fail,
  });
  onTestFinished(() => limits.stop());
  return limits;
}

function pausesOf({ sql, queue }: QueueUnderTest): Pauses {
  const pauses = new Pauses({
    sql,
    ranksFairly: async () => false,
    onResumed: (scheduler, count) => queue.wake(scheduler, count),
    onError: fail,
  });
  onTestFinished(() => pauses.stop());
  return pauses;
}

const pop = async ({ queue }: QueueUnderTest, limit = 100) => queue.pop('boefje', popRequest({ limit }));
const oois = (tasks: readonly ClaimedTask[]) => tasks.map(ooiOf).toSorted();
const complete = (
  { queue }: QueueUnderTest,
  tasks: readonly ClaimedTask[],
  status: 'completed' | 'queued' = 'completed',
) => queue.patch(tasks.map(({ id, leaseId }) => ({ id, leaseId, via: 'nats', status })));
/** Until nothing is left to look at: what one pass admits may be parked at another key. */
async function passes(limits: Limits): Promise<void> {
  await applied(limits);
  for (let n = 0; n < 5; n += 1) await limits.releaser.pass();
}
async function applied(limits: Limits): Promise<void> {
  await limits.releaser.look();
  await limits.releaser.applied();
}

test('of a host one task at a time is claimed; other hosts go on, and the next follows when it has ended', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(aLimit({ name: 'host', template: 'host:{host}', concurrency: 1 }));
  await under.queue.push('boefje', [
    boefjeTask('Hostname|internet|a.example.com', { boefje: 'one' }),
    boefjeTask('Hostname|internet|A.example.com', { boefje: 'two' }),
    boefjeTask('URL|internet|https://b.example.com/path'),
  ]);
  expect(await pop(under)).toEqual([]);
  await passes(limits);
  const first = await pop(under);
  expect(oois(first)).toEqual(['Hostname|internet|a.example.com', 'URL|internet|https://b.example.com/path']);
  await passes(limits);
  expect(await pop(under)).toEqual([]);
  await complete(under, first);
  await passes(limits);
  expect(oois(await pop(under))).toEqual(['Hostname|internet|A.example.com']);
});

test('what is queued when a limit is set is held; what it held goes on when it is ended', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await under.queue.push(
    'boefje',
    Array.from({ length: 5 }, (_, n) => boefjeTask(`Hostname|internet|h${n}.nl`)),
  );
  await limits.set(aLimit({ name: 'one', concurrency: 1 }));
  await applied(limits);
  await passes(limits);
  expect(await pop(under)).toHaveLength(1);
  expect(await under.sql`SELECT count(*)::int AS n FROM queue WHERE parked = 'one/all'`).toEqual([{ n: 4 }]);
  expect(await limits.unset('one', 'limit')).toBe(true);
  await passes(limits);
  expect(await pop(under)).toHaveLength(4);
});

test('a retry, an expired lease and a give-back are held as a push is', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(aLimit({ name: 'slow', spacingMs: 60_000 }));
  await under.queue.push('boefje', [boefjeTask('a'), boefjeTask('b')]);
  await passes(limits);
  const taken = await pop(under);
  expect(taken).toHaveLength(1);
  await complete(under, taken, 'queued');
  await passes(limits);
  expect(await pop(under)).toEqual([]);
  expect(await under.sql`SELECT count(*)::int AS n FROM queue WHERE held AND parked = 'slow/all'`).toEqual([{ n: 2 }]);
});

test('a pause and a limit hold the same rows: each lets them go only as far as the other does', async () => {
  const under = await queueUnderTest();
  const [limits, pauses] = [limitsOf(under), pausesOf(under)];
  const paused = { scheduler: 'boefje', organisation: 'aa', plugin: null };
  await limits.set(aLimit({ name: 'two', plugin: 'nmap', concurrency: 2 }));
  await under.queue.push('boefje', [
    ...Array.from({ length: 4 }, (_, n) => boefjeTask(`x${n}`, { boefje: 'nmap' })),
    boefjeTask('free'),
    boefjeTask('other', { boefje: 'nmap', organisation: 'bb' }),
  ]);
  await passes(limits);
  await pauses.pause(paused, null);
  await passes(limits);
  // Two of the organisation had been let go and are held again: their places go to another one.
  expect(oois(await pop(under))).toEqual(['other']);
  await pauses.resume(paused);
  expect(oois(await pop(under))).toEqual(['free']);
  await passes(limits);
  expect(await pop(under)).toHaveLength(1);
});

test('a deduplicated group is let go whole and counts once', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(aLimit({ name: 'one', concurrency: 1 }));
  const group = (name: string) =>
    ['aa', 'bb', 'cc'].map((organisation) => boefjeTask(name, { organisation, group: `g-${name}` }));
  await under.queue.push('boefje', [...group('x'), ...group('y')]);
  await passes(limits);
  const first = await pop(under);
  expect(oois(first)).toEqual(['x', 'x', 'x']);
  await complete(under, first.slice(0, 2));
  await passes(limits);
  expect(await pop(under)).toEqual([]);
  await complete(under, first.slice(2));
  await passes(limits);
  expect(oois(await pop(under))).toEqual(['y', 'y', 'y']);
});

test('a group frees no task of another limit: who pushes chooses the group', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(aLimit({ name: 'host', template: 'host:{host}', concurrency: 1 }));
  await limits.set(aLimit({ name: 'one', organisation: 'bb', template: 'all', concurrency: 1 }));
  const of = (organisation: string, host: string) => boefjeTask(`H|${host}`, { organisation, group: 'g' });
  await under.queue.push('boefje', [boefjeTask('H|first.nl', { organisation: 'bb' })]);
  await under.queue.push('boefje', [of('aa', 'x.nl'), of('aa', 'y.nl'), of('bb', 'x.nl')]);
  await passes(limits);
  expect(oois(await pop(under))).toEqual(['H|first.nl', 'H|x.nl', 'H|y.nl']);
});

test('what is left of the last limit is forgotten, and what was told of it folded in parts', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(aLimit({ name: 'host', template: 'host:{host}', spacingMs: 1 }));
  await under.sql`INSERT INTO limit_changes (key, unit, spent) SELECT 'host/host:a.nl', n, true FROM generate_series(1, 50_000) AS n`;
  await passes(limits);
  expect(await under.sql`SELECT FROM limit_changes`).toHaveLength(0);
  await limits.unset('host', 'limit');
  await under.sql`UPDATE limits SET removed_at = now() - interval '2 minutes'`;
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 120_000);
  onTestFinished(() => void vi.restoreAllMocks());
  await limits.releaser.look();
  expect(await under.sql`SELECT FROM limits, limiters`).toHaveLength(0);
});

test('the rest of a group of which a filter took a part waits for its own turn', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(aLimit({ name: 'one', concurrency: 1 }));
  await under.queue.push(
    'boefje',
    ['aa', 'bb'].map((organisation) => boefjeTask('x', { organisation, group: 'g' })),
  );
  await passes(limits);
  const filters = { filters: [{ column: 'organisation', operator: 'eq', value: 'aa' }] };
  const part = await under.queue.pop('boefje', popRequest({ limit: 10, filters: filters as never }));
  expect(part).toHaveLength(1);
  expect(await pop(under)).toEqual([]);
  await passes(limits);
  expect(await pop(under)).toEqual([]);
  await complete(under, part);
  await passes(limits);
  expect(await pop(under)).toHaveLength(1);
});

test('what a person asks for is exempt where the limit says so', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(aLimit({ name: 'slow', spacingMs: 60_000, exemptManual: true }));
  await under.queue.push('boefje', [boefjeTask('a'), boefjeTask('b'), boefjeTask('by hand', { priority: 1 })]);
  await passes(limits);
  expect(oois(await pop(under))).toEqual(['a', 'by hand']);
});

test('a value that cannot be read is the OOI, is counted, and is limited', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(aLimit({ name: 'net', template: 'net:{ip/24}', concurrency: 1 }));
  await under.queue.push('boefje', [
    boefjeTask('IPAddressV4|internet|10.1.2.3'),
    boefjeTask('IPPort|internet|10.1.2.99|tcp|443'),
    boefjeTask('Hostname|internet|a.nl', { boefje: 'one' }),
    boefjeTask('Hostname|internet|a.nl', { boefje: 'two' }),
  ]);
  await passes(limits);
  expect(oois(await pop(under))).toEqual(['Hostname|internet|a.nl', 'IPAddressV4|internet|10.1.2.3']);
  expect((await limits.list()).limits).toMatchObject([{ fallbacks: 2 }]);
});

test('a limit that is set later holds what another one holds already', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(aLimit({ name: 'a', concurrency: 1 }));
  await under.queue.push('boefje', [boefjeTask('x', { boefje: 'nmap' }), boefjeTask('y', { boefje: 'nmap' })]);
  await passes(limits);
  const first = await pop(under);
  await limits.set(aLimit({ name: 'b', plugin: 'nmap', spacingMs: 3_600_000 }));
  await complete(under, first);
  await passes(limits);
  expect(oois(await pop(under))).toEqual(['y']);
  expect(await under.sql`SELECT key FROM limiters ORDER BY key`).toEqual([{ key: 'a/all' }, { key: 'b/all' }]);
});

test('a changed rate counts for what waits, and keeps what was claimed', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(aLimit({ name: 'r', spacingMs: 3_600_000 }));
  await under.queue.push('boefje', [boefjeTask('x'), boefjeTask('y'), boefjeTask('z')]);
  await passes(limits);
  expect(await pop(under)).toHaveLength(1);
  await limits.set(aLimit({ name: 'r', spacingMs: 3_600_000, burst: 2 }));
  await passes(limits);
  expect(await pop(under)).toHaveLength(1);
  await passes(limits);
  expect(await pop(under)).toEqual([]);
});

test('tasks that are cancelled, revoked or purged leave no place behind', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await limits.set(aLimit({ name: 'one', concurrency: 1 }));
  await under.queue.push('boefje', [boefjeTask('x'), boefjeTask('y')]);
  await passes(limits);
  const [let_go] = await under.sql<{ id: string }[]>`SELECT id FROM queue WHERE NOT held`;
  await under.queue.patch([{ id: let_go!.id, leaseId: null, via: 'nats', status: 'cancelled', doer: 'ann' }]);
  await passes(limits);
  expect(oois(await pop(under))).toEqual(['y']);
});

test('a window that closes holds what it had let go, and one that opens lets go', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  const window = (hours: NewLimit['hours']) => limits.set(aLimit({ name: 'w', kind: 'window', template: '', hours }));
  const always = { zone: 'UTC', cron: '* * * * *', seconds: 3_600 };
  await window(always);
  await under.queue.push('boefje', [boefjeTask('x'), boefjeTask('y')]);
  await passes(limits);
  expect(await pop(under, 1)).toHaveLength(1);
  await window({ zone: 'UTC', from: '2020-01-01T00:00', until: '2999-01-01T00:00' });
  await passes(limits);
  expect(await pop(under)).toEqual([]);
  await window(always);
  await passes(limits);
  expect(await pop(under)).toHaveLength(1);
});

test('without a limit nothing is held, and limits of one scheduler leave others alone', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  await under.queue.push('boefje', [boefjeTask('x')]);
  expect(await pop(under)).toHaveLength(1);
  await limits.set(aLimit({ name: 'reports', scheduler: 'report', concurrency: 1 }));
  await under.queue.push('boefje', [boefjeTask('y')]);
  expect(await pop(under)).toHaveLength(1);
});

test('tasks that run when a concurrency is set count for it, and a group among them once', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  const group = ['aa', 'bb'].map((organisation) => boefjeTask('H|a.nl', { organisation, group: 'g' }));
  await under.queue.push('boefje', [...group, boefjeTask('H|a.nl', { boefje: 'two' })]);
  const running = await pop(under);
  await under.queue.push('boefje', [boefjeTask('H|a.nl', { boefje: 'three' }), boefjeTask('H|b.nl')]);
  // A rate alone counts no work; a concurrency that the limit gets later does.
  await limits.set(aLimit({ name: 'host', template: 'host:{host}', spacingMs: 1 }));
  await applied(limits);
  await limits.set(aLimit({ name: 'host', template: 'host:{host}', concurrency: 2 }));
  await passes(limits);
  expect(oois(await pop(under))).toEqual(['H|b.nl']);
  await complete(under, running.slice(0, 1));
  await passes(limits);
  expect(await pop(under)).toEqual([]);
  await complete(under, running.slice(1));
  await passes(limits);
  expect(oois(await pop(under))).toEqual(['H|a.nl']);
});

test('a limit that Katalogus gives is kept until it gives it no more; what an operator says goes before it', async () => {
  const under = await queueUnderTest();
  const limits = limitsOf(under);
  const given = (seconds: number) =>
    setDefaultLimits(under.sql, 'boefje', [{ group: 'api', seconds, boefjes: ['a', 'b'] }]);
  const listed = async () =>
    (await limits.list()).limits.map(({ name, spacingMs, setBy }) => ({ name, spacingMs, setBy }));
  await given(60);
  await under.queue.push('boefje', [
    boefjeTask('x', { boefje: 'a' }),
    boefjeTask('y', { boefje: 'b' }),
    boefjeTask('z'),
  ]);
  await passes(limits);
  expect(await pop(under)).toHaveLength(2);
  await given(30);
  const byKatalogus = { name: 'katalogus.api', spacingMs: 30_000, setBy: 'katalogus' };
  expect(await listed()).toEqual([byKatalogus]);
  await limits.set(aLimit({ name: 'katalogus.api', plugin: 'a', spacingMs: 5, setBy: 'anna' }));
  await given(30);
  expect(await listed()).toEqual([{ ...byKatalogus, spacingMs: 5, setBy: 'anna' }]);
  // Without the operator's the default is back; once an operator has ended that one, it stays away.
  await limits.unset('katalogus.api', 'limit');
  await given(30);
  expect(await listed()).toEqual([byKatalogus]);
  await limits.unset('katalogus.api', 'limit');
  await given(30);
  expect(await listed()).toEqual([]);
  // Katalogus gave none for a while: it is a new one.
  await setDefaultLimits(under.sql, 'boefje', []);
  await given(30);
  expect(await listed()).toEqual([byKatalogus]);
});
