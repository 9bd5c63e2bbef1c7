import { describe, expect, test } from 'vitest';
import { commandRunner } from '../../src/control/operator-command.ts';
import { weightCommands } from '../../src/control/weights.ts';
import { Pauses } from '../../src/queue/maintenance/pauses.ts';
import { statement } from '../../src/postgres/pool.ts';
import { rankByArrival } from '../../src/queue/push/rank.ts';
import { rerank } from '../../src/queue/maintenance/rerank.ts';
import type { PopRequest } from '../../src/queue/queue.ts';
import { purgeOrganisation } from '../../src/queue/settle/cancellation.ts';
import type { RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { fairRanking } from '../support/fair-ranking.ts';
import { boefjeTask, popRequest, type QueueUnderTest, queueUnderTest } from '../support/queue.ts';

/** The situations of docs/queue-semantics.md, "Fair share", on the real queue. Waits are counted in pops. */

const under = () => queueUnderTest({ ranking: fairRanking, maxAttempts: 1_000 });

async function push(queue: RunningTaskQueue, organisation: string, count: number, image = 'a'): Promise<string[]> {
  const tasks = Array.from({ length: count }, () => boefjeTask(undefined, { organisation, image }));
  const outcomes = await queue.push('boefje', tasks);
  return outcomes.map((outcome) => ('id' in outcome ? outcome.id : ''));
}

/** Organisations in the order in which they are served. */
async function pop(queue: RunningTaskQueue, count: number, image?: string): Promise<string[]> {
  const served: string[] = [];
  const filters: Partial<PopRequest> =
    image === undefined
      ? {}
      : { filters: { filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'eq', value: image }] } };
  while (served.length < count) {
    const limit = Math.min(100, count - served.length);
    const claimed = await queue.pop('boefje', popRequest({ limit, leaseMs: 86_400_000, ...filters }));
    if (claimed.length === 0) break;
    served.push(...claimed.map(({ task }) => (JSON.parse(task) as { organisation: string }).organisation));
  }
  return served;
}

const count = (served: readonly string[]) =>
  Object.fromEntries([...Map.groupBy(served, (name) => name)].map(([name, { length }]) => [name, length]));

/** Within a tenth. */
function expectShares(served: readonly string[], wanted: Readonly<Record<string, number>>): void {
  const found = count(served);
  for (const [name, share] of Object.entries(wanted)) {
    expect(found[name] ?? 0, `${name} of ${JSON.stringify(found)}`).toBeGreaterThanOrEqual(share * 0.9);
    expect(found[name] ?? 0, `${name} of ${JSON.stringify(found)}`).toBeLessThanOrEqual(share * 1.1);
  }
}

function pausesOf({ sql, queue }: QueueUnderTest): Pauses {
  return new Pauses({
    sql,
    ranksFairly: (scheduler) => queue.ranksFairly(scheduler),
    onResumed: () => {},
    onError: (error) => {
      throw error;
    },
  });
}

const organisation = (name: string) => ({ scheduler: 'boefje', organisation: name, plugin: null });

describe('fair share', () => {
  test('an old task that no runner serves gives a newcomer no credit', async () => {
    const { queue } = await under();
    await push(queue, 'odd', 1, 'none');
    await push(queue, 'old', 2_000);
    await pop(queue, 1_000, 'a');
    await push(queue, 'new', 1_000);
    expectShares(await pop(queue, 1_000, 'a'), { old: 500, new: 500 });
  });

  test('an image whose workers are ten times slower lends no share on another', async () => {
    const { queue } = await under();
    await push(queue, 'slow', 600, 'b');
    await push(queue, 'old', 2_000);
    for (let round = 0; round < 10; round += 1) {
      await pop(queue, 100, 'a');
      await pop(queue, 10, 'b');
    }
    await push(queue, 'new', 1_000);
    const served: string[] = [];
    for (let round = 0; round < 10; round += 1) {
      served.push(...(await pop(queue, 100, 'a')));
      await pop(queue, 10, 'b');
    }
    expectShares(served, { old: 500, new: 500 });
  });

  test('a burst of one image costs its organisation nothing on another', async () => {
    const { queue } = await under();
    await push(queue, 'x', 1_000, 'b');
    await push(queue, 'old', 1_000);
    await push(queue, 'x', 1);
    expect((await pop(queue, 1_000, 'a')).indexOf('x')).toBe(1);
  });

  test('an organisation that is resumed takes turns, as does a newcomer', async () => {
    const use = await under();
    const { queue } = use;
    for (const name of ['big', 'a', 'b']) await push(queue, name, 1_500);
    await pop(queue, 300);
    const pauses = pausesOf(use);
    await pauses.pause(organisation('big'), null);
    await pop(queue, 1_000);
    await pauses.resume(organisation('big'));
    await push(queue, 'new', 800);
    expectShares(await pop(queue, 1_200), { big: 300, a: 300, b: 300, new: 300 });
  });

  test('what is resumed comes back in its own order', async () => {
    const use = await under();
    const { queue } = use;
    const ids = await push(queue, 'big', 1_200);
    await push(queue, 'a', 1_200);
    const pauses = pausesOf(use);
    await pauses.pause(organisation('big'), null);
    await pop(queue, 600);
    await pauses.resume(organisation('big'));
    const back: string[] = [];
    while (back.length < 1_200) {
      const claimed = await queue.pop('boefje', popRequest({ limit: 100, leaseMs: 86_400_000 }));
      if (claimed.length === 0) break;
      for (const { task } of claimed) {
        const { id, organisation: of } = JSON.parse(task) as { id: string; organisation: string };
        if (of === 'big') back.push(id);
      }
    }
    expect(back).toEqual(ids);
  });

  test('old failures that are tried again take turns with what waits', async () => {
    const { queue } = await under();
    for (const name of ['x', 'y']) await push(queue, name, 300);
    const failed = await queue.pop('boefje', popRequest({ limit: 600, leaseMs: 86_400_000 }));
    const patch = async (leased: boolean, status: 'failed' | 'queued') => {
      const patches = failed.map(({ id, leaseId }) => {
        return { id, leaseId: leased ? leaseId : null, via: 'rest', status } as const;
      });
      const outcomes = await queue.patch(patches);
      expect(outcomes.every(({ ok }) => ok)).toBe(true);
    };
    await patch(true, 'failed');
    for (const name of ['a', 'b']) await push(queue, name, 1_000);
    await pop(queue, 800);
    await patch(false, 'queued');
    expectShares(await pop(queue, 800), { x: 200, y: 200, a: 200, b: 200 });
  });

  test('a burst that is cancelled costs nothing afterwards', async () => {
    const { queue, sql } = await under();
    await push(queue, 'big', 2_000);
    await push(queue, 'a', 1_000);
    await pop(queue, 200);
    await purgeOrganisation(sql, ['boefje'], 'big', 'ann');
    await push(queue, 'big', 1);
    expect((await pop(queue, 900)).indexOf('big')).toBeLessThanOrEqual(1);
  });

  test('after a rerank an idle organisation waits as long as a new one', async () => {
    const { queue, sql } = await under();
    await push(queue, 'idle', 500);
    for (const name of ['a', 'b']) await push(queue, name, 1_000);
    await pop(queue, 1_500);
    await queue.ranksFairly('boefje');
    await rerank(sql, fairRanking, 'boefje', () => {});
    await push(queue, 'idle', 1);
    await push(queue, 'new', 1);
    const served = await pop(queue, 1_000);
    expect(served.indexOf('idle')).toBeLessThanOrEqual(6);
    expect(served.indexOf('new')).toBeLessThanOrEqual(6);
  });

  test('a task that is given back has the rank that it had, beyond 32 bits too', async () => {
    const { queue, sql } = await under();
    await push(queue, 'a', 2);
    await sql.unsafe('UPDATE queue SET rank = rank + 5000000000');
    const ranks = () => sql.unsafe<{ rank: string }[]>('SELECT rank FROM queue ORDER BY rank').values();
    const before = await ranks();
    const [claimed] = await queue.pop('boefje', popRequest());
    await queue.giveBack([{ id: claimed!.id, leaseId: claimed!.leaseId }]);
    expect(await ranks()).toEqual(before);
  });

  test('others beside a burst of 20 000 wait for two of its tasks each at most', async () => {
    const { queue } = await under();
    for (let at = 0; at < 20; at += 1) await push(queue, 'big', 1_000);
    await pop(queue, 100);
    for (let at = 0; at < 5; at += 1) await push(queue, `other-${at}`, 20);
    const served = await pop(queue, 200);
    for (let at = 0; at < 5; at += 1) expect(served.indexOf(`other-${at}`)).toBeLessThanOrEqual(7);
    expectShares(served.slice(0, 120), { big: 20, 'other-0': 20, 'other-4': 20 });
  });

  test('an organisation of weight 3 is served three times as often, from the next push on, and after a rerank for all', async () => {
    const { queue, sql } = await under();
    const audited: unknown[] = [];
    const ports = { sql, schedulerIds: ['boefje'], audit: (...entry: unknown[]) => void audited.push(entry) };
    const commands = commandRunner(weightCommands(ports), () => {});
    const run = (name: string, body: object) => commands(name, body, { by: 'me', access: 'operate' });
    for (const name of ['heavy', 'light']) await push(queue, name, 600);
    expect(await run('set-weight', { scheduler: 'boefje', organisation: 'heavy', weight: 3 })).toEqual({
      weight: 3,
      before: 1,
    });
    expectShares(await pop(queue, 400), { heavy: 200, light: 200 });
    await queue.ranksFairly('boefje');
    await rerank(sql, fairRanking, 'boefje', () => {});
    expectShares(await pop(queue, 400), { heavy: 300, light: 100 });
    await push(queue, 'heavy', 300);
    expect(await run('weights', {})).toEqual({
      count: 1,
      results: [{ scheduler: 'boefje', organisation: 'heavy', weight: 3 }],
    });
    expect(await run('unset-weight', { scheduler: 'boefje', organisation: 'heavy' })).toEqual({ weight: 1, before: 3 });
    expect(await run('weights', {})).toEqual({ count: 0, results: [] });
    expect(audited).toMatchObject([
      ['set-weight', 'me', { organisation: 'heavy', weight: 3, before: 1 }],
      ['set-weight', 'me', { organisation: 'heavy', weight: 1, before: 3 }],
    ]);
    for (const weight of [0, -1, 0.0009, 1_001, Number.NaN, Number.POSITIVE_INFINITY])
      await expect(run('set-weight', { scheduler: 'boefje', organisation: 'heavy', weight })).rejects.toThrow(/weight/);
    await expect(run('set-weight', { scheduler: 'none', organisation: 'heavy', weight: 1 })).rejects.toThrow(
      /no scheduler none/,
    );
    await expect(sql.unsafe('UPDATE fairness SET weight = 0')).rejects.toThrow(/fairness_weight/);
  });

  test('a pop past what waits first, and a group that reaches far back, take nothing from newcomers', async () => {
    const { queue } = await under();
    await push(queue, 'big', 1_000);
    await queue.push('boefje', [boefjeTask('first', { organisation: 'grouped', image: 'a', group: 'g' })]);
    await push(queue, 'grouped', 500);
    await queue.push('boefje', [boefjeTask('last', { organisation: 'grouped', image: 'a', group: 'g' })]);
    const far = { filters: [{ column: 'priority', operator: 'gt', value: '900000' }] } as const;
    const past = await queue.pop('boefje', popRequest({ limit: 1, leaseMs: 86_400_000, filters: far }));
    expect(past).toHaveLength(1);
    expect(new Set(await pop(queue, 3))).toEqual(new Set(['big', 'grouped']));
    await push(queue, 'new', 1);
    expect((await pop(queue, 50)).indexOf('new')).toBeLessThanOrEqual(4);
  });

  test('a pause that is repeated moves what it held behind its own tasks, and no further', async () => {
    const use = await under();
    const { queue, sql } = use;
    await push(queue, 'big', 1_000);
    await push(queue, 'a', 1_000);
    const pauses = pausesOf(use);
    await pauses.pause(organisation('big'), null);
    await pop(queue, 900);
    for (let time = 0; time < 3; time += 1) {
      await pauses.resume(organisation('big'));
      await pauses.pause(organisation('big'), null);
    }
    await pauses.resume(organisation('big'));
    const rows = await sql.unsafe<{ rank: string }[]>(
      "SELECT rank FROM queue WHERE organisation = 'big' ORDER BY rank",
    );
    expect([Number(rows[0]!.rank), Number(rows.at(-1)!.rank)]).toEqual([901_001, 1_900_001]);
    expectShares(await pop(queue, 200), { a: 100, big: 100 });
  });

  test('a plug-in that is resumed goes behind its organisation’s others; one old rank among them moves alone', async () => {
    const use = await under();
    const { queue, sql } = use;
    const of = (boefje: string) =>
      Array.from({ length: 300 }, () => boefjeTask(undefined, { organisation: 'x', image: 'a', boefje }));
    await queue.push('boefje', of('held'));
    const pauses = pausesOf(use);
    const plugin = { scheduler: 'boefje', organisation: null, plugin: 'held' };
    await pauses.pause(plugin, null);
    await push(queue, 'y', 1_000);
    await queue.push('boefje', of('free'));
    await sql.unsafe('UPDATE queue SET rank = 5 WHERE id = (SELECT id FROM queue WHERE held LIMIT 1)');
    await pop(queue, 100);
    await pauses.resume(plugin);
    expectShares(await pop(queue, 800), { x: 400, y: 400 });
  });

  test('another plug-in of an organisation does not wait behind what a pause holds', async () => {
    const use = await under();
    const { queue } = use;
    await push(queue, 'a', 1_000);
    await queue.push(
      'boefje',
      Array.from({ length: 500 }, () => boefjeTask(undefined, { organisation: 'x', image: 'a' })),
    );
    await pausesOf(use).pause({ scheduler: 'boefje', organisation: 'x', plugin: 'dns-records' }, null);
    await queue.push('boefje', [boefjeTask('other', { organisation: 'x', image: 'a', boefje: 'nmap' })]);
    expect((await pop(queue, 100)).indexOf('x')).toBeLessThanOrEqual(2);
  });

  test('a patch that queues a task again with a priority has that priority', async () => {
    const { queue, sql } = await under();
    await push(queue, 'a', 50);
    const [done] = await queue.pop('boefje', popRequest({ leaseMs: 86_400_000 }));
    const { id, leaseId } = done!;
    await queue.patch([{ id, leaseId, via: 'rest', status: 'failed' }]);
    await queue.patch([{ id, leaseId: null, via: 'rest', status: 'queued', priority: 1 }]);
    expect(await sql.unsafe('SELECT rank FROM queue WHERE id = $1', [id])).toEqual([{ rank: '1' }]);
    const [again] = await queue.pop('boefje', popRequest({ leaseMs: 86_400_000 }));
    expect(again!.id).toBe(id);
    await queue.patch([{ id, leaseId: again!.leaseId, via: 'rest', status: 'queued', priority: 7 }]);
    expect(await sql.unsafe('SELECT rank FROM queue WHERE id = $1', [id])).toEqual([{ rank: '7' }]);
  });

  test('virtual times go with the ranker, and with the images that are queued', async () => {
    const { queue, sql, another } = await under();
    for (const image of ['x', 'y', 'z']) await push(queue, 'a', 2, image);
    await pop(queue, 5);
    await queue.ranksFairly('boefje');
    const images = async () =>
      (await sql.unsafe('SELECT image FROM virtual_times')).map(({ image }) => image as string);
    expect((await images()).length).toBeGreaterThan(1);
    await pop(queue, 1);
    await sql.unsafe(statement('maintenance/forget-virtual-times'));
    expect(await images()).toHaveLength(1);
    const other = another({ ranking: rankByArrival });
    await other.pop('boefje', popRequest());
    await expect.poll(images).toEqual([]);
  });

  test('it holds for two supervisors, and over a restart', async () => {
    const { queue, another } = await under();
    await push(queue, 'old', 2_000);
    await pop(queue, 1_000);
    await queue.drain();
    const [one, two] = [another(), another()];
    await push(two, 'new', 1_000);
    const served = [...(await pop(one, 300)), ...(await pop(two, 300))];
    expectShares(served, { old: 300, new: 300 });
  });
});
