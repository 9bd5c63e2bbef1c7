import { describe, expect, test } from 'vitest';
import type { FilterRequest } from '../../src/queue/filter/filter.ts';
import { claim, claimParameters, claimStatement, type Want } from '../../src/queue/pop/claim.ts';
import { connect } from '../../src/postgres/pool.ts';
import { boefjeTask, ooiOf, parse, popRequest, queueUnderTest } from '../support/queue.ts';

const images = (...value: string[]): FilterRequest => ({
  filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'in', value }],
});

const want: Want = { units: 1, worker: 'w', holder: '_INBOX.w', via: 'nats', leaseMs: 60_000 };

describe('claim', () => {
  test('hands out by priority, then age, as dispatched and leased to the caller', async () => {
    const { queue, sql } = await queueUnderTest();
    await queue.push('boefje', [boefjeTask('c', { priority: 3 }), boefjeTask('b', { priority: 2 })]);
    await queue.push('boefje', [boefjeTask('b2', { priority: 2 }), boefjeTask('manual', { priority: 1 })]);
    const claimed = await queue.pop('boefje', popRequest({ limit: 9, worker: 'w7' }));
    expect(claimed.map(ooiOf)).toEqual(['manual', 'b', 'b2', 'c']);
    expect(claimed.map(({ unit }) => unit)).toEqual([1, 2, 3, 4]);
    expect(claimed.map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1]);
    const task = parse(claimed[0]!);
    expect(task.status).toBe('dispatched');
    expect(task.modified_at > task.created_at).toBe(true);
    expect(await sql`SELECT count(*)::int AS n FROM queue`).toEqual([{ n: 0 }]);
    const leases = await sql<{ lease_id: string; worker: string; via: string }[]>`SELECT * FROM leases`;
    expect(new Set(leases.map((lease) => lease.lease_id))).toEqual(new Set(claimed.map(({ leaseId }) => leaseId)));
    expect(leases[0]).toMatchObject({ worker: 'w7', via: 'nats' });
  });

  test('a manual scan pushed under load is the next one popped', async () => {
    const { queue } = await queueUnderTest();
    await queue.push(
      'boefje',
      Array.from({ length: 300 }, () => boefjeTask(undefined, { priority: 9 })),
    );
    const load = Array.from({ length: 40 }, () => queue.pop('boefje', popRequest({ limit: 2 })));
    await queue.push('boefje', [boefjeTask('manual', { priority: 1 })]);
    const [next] = await queue.pop('boefje', popRequest());
    const earlier = (await Promise.all(load)).flat().map(ooiOf);
    // An earlier pop may have got it: in any case no later pop waits for it.
    expect([...earlier, ooiOf(next!)]).toContain('manual');
    if (!earlier.includes('manual')) expect(ooiOf(next!)).toBe('manual');
  });

  test('a filter lets through what it names, in pop order over several values', async () => {
    const { queue } = await queueUnderTest();
    await queue.push('boefje', [
      boefjeTask('a1', { priority: 4, image: 'a' }),
      boefjeTask('b1', { priority: 2, image: 'b' }),
      boefjeTask('c1', { priority: 1, image: 'c' }),
      boefjeTask('a2', { priority: 3, image: 'a' }),
    ]);
    const none = await queue.pop('boefje', popRequest({ limit: 9, filters: images('x', 'y') }));
    const both = await queue.pop('boefje', popRequest({ limit: 9, filters: images('a', 'b') }));
    expect(none).toEqual([]);
    expect(both.map(ooiOf)).toEqual(['b1', 'a2', 'a1']);
  });

  test('a list of thousands of values lets through what it names, and needs no plan of thousands of scans', async () => {
    const { queue } = await queueUnderTest();
    await queue.push('boefje', [
      boefjeTask('a', { image: 'a', priority: 2 }),
      boefjeTask('z', { image: 'z', priority: 1 }),
    ]);
    const many = images('a', ...Array.from({ length: 5_000 }, (_, index) => `image-${index}`));
    expect(claimStatement(many, 'boefje').text.length).toBeLessThan(10_000);
    expect((await queue.pop('boefje', popRequest({ limit: 9, filters: many }))).map(ooiOf)).toEqual(['a']);
  });

  test('clients that make up filters do not fill the connections with prepared statements', async () => {
    const { url } = await queueUnderTest();
    const sql = connect(url, { max: 1, byKey: true });
    const scheduler = { scheduler: 'boefje', firstLeaseMs: 60_000 };
    for (let shape = 1; shape <= 150; shape += 1) {
      const group = shape <= 75 ? 'and' : 'or';
      const filters = Array.from({ length: 1 + (shape % 75) }, () => ({
        column: 'hash',
        operator: 'eq' as const,
        value: 'x',
      }));
      await claim({ sql, search: sql }, scheduler, [want], claimStatement({ filters: { [group]: filters } }, 'boefje'));
    }
    const [held] =
      await sql`SELECT count(*)::int AS claims FROM pg_prepared_statements WHERE statement LIKE '%heads%' AND statement NOT LIKE '%pg_prepared%'`;
    expect(held!['claims']).toBeLessThanOrEqual(100);
    await sql.end();
  });

  test('a filter that names no column of ours is refused at once', async () => {
    const { queue } = await queueUnderTest();
    const filters: FilterRequest = { filters: [{ column: 'nonsense', operator: 'eq', value: 'x' }] };
    await expect(queue.pop('boefje', popRequest({ filters, waitMs: 10_000 }))).rejects.toMatchObject({
      code: 'INVALID_FILTER',
    });
  });

  test('lessons 0.9: changes of status leave every index of tasks alone (HOT), from dispatched to completed', async () => {
    const { queue, sql } = await queueUnderTest();
    await queue.push(
      'boefje',
      Array.from({ length: 100 }, () => boefjeTask(undefined, { priority: 2 })),
    );
    const claimed = await queue.pop('boefje', popRequest({ limit: 100 }));
    for (const status of ['running', 'completed'] as const) {
      await queue.patch(claimed.map(({ id, leaseId }) => ({ id, leaseId, status, via: 'nats' })));
    }
    await queue.drain();
    await expect
      .poll(async () => {
        await sql`SELECT pg_stat_clear_snapshot()`;
        // With an index on status none would be. Later ones may find no room while a snapshot keeps their page's dead rows.
        const [row] = await sql`
          SELECT n_tup_upd::int AS updated, n_tup_hot_upd >= 90 AS hot FROM pg_stat_user_tables WHERE relname = 'tasks'`;
        return row;
      })
      .toEqual({ updated: 300, hot: true });
  });

  test('lessons 0.9: a claim reads the queue in pop order by index, whatever the statistics say', async () => {
    const { url } = await queueUnderTest();
    const sql = connect(url, { max: 1, byKey: true });
    for (const filters of [null, images('a'), images('a', 'b')]) {
      const { text, values } = claimStatement(filters, 'boefje');
      const rows = await sql.unsafe<{ 'QUERY PLAN': string }[]>(
        `EXPLAIN (COSTS OFF) ${text}`,
        claimParameters('boefje', [want], 60_000, values) as never[],
      );
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).not.toMatch(/Seq Scan on (queue|tasks)/);
      // Nothing between the limit of heads and the index that would read more than it needs.
      expect(/CTE heads\n([\s\S]*?)LockRows/.exec(plan)![1]).not.toMatch(/Sort\n|Bitmap/);
    }
    await sql.end();
  });
});

describe('groups', () => {
  test('lessons 0.5: the head by priority decides; its whole deduplicated group is one unit and counts once', async () => {
    const { queue, sql } = await queueUnderTest();
    await queue.push('boefje', [
      boefjeTask('first', { priority: 2 }),
      boefjeTask('g1', { priority: 3, group: 'g' }),
      boefjeTask('between', { priority: 4 }),
      boefjeTask('g2', { priority: 5, group: 'g', organisation: 'bb' }),
      boefjeTask('g3', { priority: 6, group: 'g', organisation: 'cc' }),
      boefjeTask('last', { priority: 7 }),
    ]);
    const claimed = await queue.pop('boefje', popRequest({ limit: 3 }));
    expect(claimed.map((task) => [task.unit, ooiOf(task)])).toEqual([
      [1, 'first'],
      [2, 'g1'],
      [2, 'g2'],
      [2, 'g3'],
      [3, 'between'],
    ]);
    expect(new Set(claimed.map(({ leaseId }) => leaseId)).size).toBe(5);
    expect(await sql`SELECT count(*)::int AS n FROM queue`).toEqual([{ n: 1 }]);
  });

  test('members that the filter excludes or that are paused stay queued', async () => {
    const { queue, sql } = await queueUnderTest();
    await queue.push('boefje', [
      boefjeTask('a', { priority: 1, group: 'g', image: 'a' }),
      boefjeTask('b', { priority: 2, group: 'g', image: 'b' }),
      boefjeTask('held', { priority: 3, group: 'g', image: 'a' }),
    ]);
    await sql`UPDATE queue SET held = true WHERE rank = 3`;
    const claimed = await queue.pop('boefje', popRequest({ limit: 9, filters: images('a') }));
    expect(claimed.map(ooiOf)).toEqual(['a']);
  });

  test('pops that share a claim with a large group get the next units all the same', async () => {
    const { queue } = await queueUnderTest();
    await queue.push('boefje', [
      ...Array.from({ length: 20 }, (_, index) => boefjeTask(`g${index}`, { priority: 2, group: 'g' })),
      boefjeTask('x', { priority: 3 }),
      boefjeTask('y', { priority: 3 }),
    ]);
    const answers = await Promise.all([1, 2, 3].map(() => queue.pop('boefje', popRequest())));
    expect(answers.map((tasks) => tasks.length)).toEqual([20, 1, 1]);
  });

  test('while one supervisor claims from a group no other one takes a member of it', async () => {
    const { queue, sql } = await queueUnderTest();
    await queue.push('boefje', [
      boefjeTask('member', { priority: 1, group: 'g', image: 'a' }),
      boefjeTask('other member', { priority: 2, group: 'g', image: 'b' }),
      boefjeTask('single', { priority: 3, image: 'b' }),
    ]);
    const { text, values } = claimStatement(images('a'), 'boefje');
    await sql.begin(async (transaction) => {
      const claimed = await transaction.unsafe(text, claimParameters('boefje', [want], 60_000, values) as never[]);
      expect(claimed.length).toBe(1);
      // Not committed yet: another session holds the group.
      expect((await queue.pop('boefje', popRequest())).map(ooiOf)).toEqual(['single']);
    });
    expect((await queue.pop('boefje', popRequest())).map(ooiOf)).toEqual(['other member']);
  });

  test('a member that is patched while a claim is on its way to it is handed out once', async () => {
    const { queue, sql, url } = await queueUnderTest();
    await queue.push('boefje', [
      boefjeTask('head', { priority: 1, group: 'g' }),
      boefjeTask('patched', { priority: 2, group: 'g' }),
    ]);
    const [{ id }] = await sql<[{ id: string }]>`SELECT id FROM queue WHERE rank = 2`;
    // The claim's own lock on the group, but one that waits: so its snapshot is older than the patch.
    await sql.unsafe(`CREATE FUNCTION gate(key bigint) RETURNS boolean LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN pg_try_advisory_xact_lock(key); END $$`);
    const { text } = claimStatement(null, 'boefje');
    const claimer = connect(url, { max: 1, byKey: true });
    const holder = await sql.reserve();
    await holder`SELECT pg_advisory_lock(1)`;
    const claimed = claimer
      .unsafe(
        text.replace('pg_try_advisory_xact_lock', 'gate'),
        claimParameters('boefje', [want], 60_000, []) as never[],
      )
      .execute();
    await expect
      .poll(async () => (await sql`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`).length)
      .toBe(1);
    await queue.patch([{ id, via: 'rest', leaseId: null, priority: 3 }]);
    await holder`SELECT pg_advisory_unlock(1)`;
    holder.release();
    const handedOut = (await claimed).map((row) => row['id'] as string);
    const later = (await queue.pop('boefje', popRequest())).map((task) => task.id);
    expect([...handedOut, ...later].filter((task) => task === id)).toEqual([id]);
    expect(new Set([...handedOut, ...later]).size).toBe(2);
    await claimer.end();
  });
});
