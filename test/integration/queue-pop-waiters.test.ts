import { describe, expect, test } from 'vitest';
import type { Wake } from '../../src/queue/queue.ts';
import { next } from '../../src/telemetry/events.ts';
import { boefjeTask, ooiOf, popRequest, queueUnderTest } from '../support/queue.ts';

/** A wire between supervisors of one process; NATS in production. */
function wires(): () => Wake {
  const handlers = new Map<number, (scheduler: string, count: number) => void>();
  return () => {
    const self = handlers.size;
    handlers.set(self, () => {});
    return {
      publish: (scheduler, count) => {
        for (const [id, handler] of handlers) if (id !== self) handler(scheduler, count);
      },
      subscribe: (handler) => {
        handlers.set(self, handler);
        return () => handlers.set(self, () => {});
      },
    };
  };
}

describe('waiting pops', () => {
  test('a push feeds parked pops, the oldest first, and no more than it can', async () => {
    const { queue } = await queueUnderTest();
    const answers: string[] = [];
    const pops: Promise<unknown>[] = [];
    for (const name of ['first', 'second', 'third']) {
      const parked = next('waiter.parked');
      pops.push(
        queue
          .pop('boefje', popRequest({ waitMs: 20_000 }))
          .then((tasks) => answers.push(`${name} ${tasks.map(ooiOf).join()}`)),
      );
      await parked;
    }
    await queue.push('boefje', [boefjeTask('b', { priority: 2 }), boefjeTask('a', { priority: 1 })]);
    await Promise.all(pops.slice(0, 2));
    expect(answers).toEqual(['first a', 'second b']);
    expect(queue.parked().get('boefje')).toBe(1);
    await queue.push('boefje', [boefjeTask('c', { priority: 1 })]);
    await pops[2];
    expect(answers.at(-1)).toBe('third c');
  });

  test('a pop whose wait is over is answered with nothing and never claims', async () => {
    const { queue, sql } = await queueUnderTest();
    expect(await queue.pop('boefje', popRequest({ waitMs: 20 }))).toEqual([]);
    await queue.push('boefje', [boefjeTask('ooi', { priority: 2 })]);
    expect(await sql`SELECT count(*)::int AS n FROM queue`).toEqual([{ n: 1 }]);
  });

  test('a pop whose requester is gone is answered with nothing and never claims', async () => {
    const { queue, sql } = await queueUnderTest();
    const requester = new AbortController();
    const parked = next('waiter.parked');
    const pop = queue.pop('boefje', popRequest({ waitMs: 20_000, signal: requester.signal }));
    await parked;
    requester.abort();
    expect(await pop).toEqual([]);
    await queue.push('boefje', [boefjeTask('ooi', { priority: 2 })]);
    expect(await sql`SELECT count(*)::int AS n FROM queue`).toEqual([{ n: 1 }]);
  });

  test('what was claimed for a requester that left meanwhile goes back, and counts as no attempt', async () => {
    const { queue, sql } = await queueUnderTest();
    await queue.push('boefje', [boefjeTask('ooi', { priority: 2 })]);
    const requester = new AbortController();
    const [locked, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holding = sql.begin(async (transaction) => {
      await transaction`LOCK TABLE queue IN ACCESS EXCLUSIVE MODE`;
      locked.resolve();
      await release.promise;
    });
    await locked.promise;
    const pop = queue.pop('boefje', popRequest({ waitMs: 20_000, signal: requester.signal }));
    const claims = () => sql`SELECT FROM pg_locks WHERE NOT granted AND relation = 'queue'::regclass`;
    await expect.poll(async () => (await claims()).length).toBe(1);
    requester.abort();
    release.resolve();
    await holding;
    expect(await pop).toEqual([]);
    await expect.poll(() => sql`SELECT status, attempts FROM tasks`).toEqual([{ status: 'QUEUED', attempts: 0 }]);
    expect(await queue.pop('boefje', popRequest())).toMatchObject([{ attempts: 1 }]);
  });

  test('what goes back to the queue wakes a parked pop', async () => {
    const { queue } = await queueUnderTest();
    await queue.push('boefje', [boefjeTask('ooi', { priority: 2 })]);
    const [task] = await queue.pop('boefje', popRequest());
    const parked = next('waiter.parked');
    const pop = queue.pop('boefje', popRequest({ waitMs: 20_000 }));
    await parked;
    await queue.patch([{ id: task!.id, leaseId: task!.leaseId, via: 'nats', status: 'queued' }]);
    expect((await pop).map(ooiOf)).toEqual(['ooi']);
  });

  test('a push that does not match a parked filter leaves that pop parked and feeds another', async () => {
    const { queue } = await queueUnderTest();
    const filters = {
      filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'in' as const, value: ['x'] }],
    };
    const first = next('waiter.parked');
    const filtered = queue.pop('boefje', popRequest({ waitMs: 20_000, filters }));
    await first;
    const second = next('waiter.parked');
    const open = queue.pop('boefje', popRequest({ waitMs: 20_000 }));
    await second;
    await queue.push('boefje', [boefjeTask('plain', { priority: 1 })]);
    expect((await open).map(ooiOf)).toEqual(['plain']);
    await queue.push('boefje', [boefjeTask('fitting', { priority: 1, image: 'x' })]);
    expect((await filtered).map(ooiOf)).toEqual(['fitting']);
  });

  test('draining answers every parked pop with nothing and refuses new ones', async () => {
    const { queue } = await queueUnderTest();
    const parked = next('waiter.parked');
    const pop = queue.pop('boefje', popRequest({ waitMs: 20_000 }));
    await parked;
    await queue.drain();
    expect(await pop).toEqual([]);
    await expect(queue.pop('boefje', popRequest())).rejects.toMatchObject({ code: 'DRAINING' });
  });
});

describe('two supervisors on one database', () => {
  test('a push at one wakes a pop that waits at the other', async () => {
    const wire = wires();
    const { queue, another } = await queueUnderTest({ wake: wire() });
    const other = another({ wake: wire() });
    other.start();
    const parked = next('waiter.parked');
    const pop = other.pop('boefje', popRequest({ waitMs: 20_000 }));
    await parked;
    await queue.push('boefje', [boefjeTask('ooi', { priority: 2 })]);
    expect((await pop).map(ooiOf)).toEqual(['ooi']);
  });

  test('hand out every task once under concurrent pushes and pops', async () => {
    const wire = wires();
    const { queue, another, sql } = await queueUnderTest({ wake: wire() });
    const queues = [queue, another({ wake: wire() })];
    for (const each of queues) each.start();
    const total = 600;
    const handedOut: string[] = [];
    const worker = async (index: number) => {
      while (handedOut.length < total) {
        const tasks = await queues[index % 2]!.pop('boefje', popRequest({ limit: 1 + (index % 7), waitMs: 200 }));
        handedOut.push(...tasks.map(({ id }) => id));
        await queues[(index + 1) % 2]!.patch(
          tasks.map(({ id, leaseId }) => ({ id, leaseId, via: 'nats', status: 'completed' })),
        );
      }
    };
    const pusher = async (index: number) => {
      for (let pushed = 0; pushed < total / 4; pushed += 10) {
        await queues[index % 2]!.push(
          'boefje',
          Array.from({ length: 10 }, () => boefjeTask(undefined, { priority: 1 + (pushed % 5) })),
        );
      }
    };
    await Promise.all([...[0, 1, 2, 3].map(pusher), ...Array.from({ length: 12 }, (_, index) => worker(index))]);
    expect(handedOut.length).toBe(total);
    expect(new Set(handedOut).size).toBe(total);
    expect(await sql`SELECT status, attempts, count(*)::int AS n FROM tasks GROUP BY 1, 2`).toEqual([
      { status: 'COMPLETED', attempts: 1, n: total },
    ]);
    expect(await sql`SELECT count(*)::int AS n FROM leases`).toEqual([{ n: 0 }]);
  });
});
