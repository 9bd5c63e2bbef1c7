import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import { boefjeTask, ooiOf, popRequest, queueUnderTest, type QueueUnderTest } from '../support/queue.ts';

/** What the queue should be, in the plainest words: one list, and what is handed out. */
interface Model {
  queued: { ooi: string; rank: number; order: number; group: string | null }[];
  held: Map<string, { task: ClaimedTask; entry: Model['queued'][number]; attempts: number }>;
  attempts: Map<string, number>;
  pushes: number;
}

type Step =
  | { kind: 'push'; ooi: number; rank: number; group: number | null }
  | { kind: 'pop'; limit: number }
  | { kind: 'settle'; which: number; status: 'completed' | 'failed' | 'cancelled' | 'queued' | 'running' }
  | { kind: 'expire'; which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      ooi: fc.nat(11),
      rank: fc.integer({ min: 1, max: 4 }),
      group: fc.option(fc.nat(2)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pop' as const), limit: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which: fc.nat(),
      status: fc.constantFrom('completed', 'failed', 'cancelled', 'queued', 'running'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), which: fc.nat() }) },
);

const maxAttempts = 2;

async function apply(model: Model, { queue, sql }: QueueUnderTest, action: Step): Promise<void> {
  const isQueued = (ooi: string) => model.queued.some((entry) => entry.ooi === ooi);
  const chosen = (which: number) => [...model.held.values()][which % Math.max(1, model.held.size)];
  switch (action.kind) {
    case 'push': {
      const ooi = `ooi-${action.ooi}`;
      const group = action.group === null ? null : `group-${action.group}`;
      const task = boefjeTask(ooi, { priority: action.rank, ...(group === null ? {} : { group }) });
      const [outcome] = await queue.push('boefje', [task]);
      expect(outcome!.outcome).toBe(isQueued(ooi) ? 'refused' : 'queued');
      if (!isQueued(ooi)) model.queued.push({ ooi, rank: action.rank, order: (model.pushes += 1), group });
      return;
    }
    case 'pop': {
      const expected: string[][] = [];
      const order = () => model.queued.sort((a, b) => a.rank - b.rank || a.order - b.order);
      const taken: Model['queued'] = [];
      // A claim locks `limit` rows at most as heads; several of one group are one unit.
      for (const head of order().slice(0, action.limit)) {
        if (taken.includes(head)) continue;
        const unit = head.group === null ? [head] : order().filter(({ group }) => group === head.group);
        taken.push(...unit);
        expected.push(unit.map(({ ooi }) => ooi));
      }
      const claimed = await queue.pop('boefje', popRequest({ limit: action.limit }));
      const units = Object.values(Object.groupBy(claimed, ({ unit }) => unit)).map((unit) => unit!.map(ooiOf));
      expect(units).toEqual(expected);
      model.queued = model.queued.filter((entry) => !taken.includes(entry));
      for (const task of claimed) {
        const attempts = (model.attempts.get(task.id) ?? 0) + 1;
        expect(task.attempts).toBe(attempts);
        model.attempts.set(task.id, attempts);
        model.held.set(task.id, { task, entry: taken.find(({ ooi }) => ooi === ooiOf(task))!, attempts });
      }
      return;
    }
    case 'settle': {
      const held = chosen(action.which);
      if (held === undefined) return;
      const { id, leaseId } = held.task;
      const twin = action.status === 'queued' && isQueued(held.entry.ooi);
      const [outcome] = await queue.patch([{ id, leaseId, via: 'nats', status: action.status }]);
      expect(outcome!.ok).toBe(!twin);
      if (twin || action.status === 'running') return;
      model.held.delete(id);
      if (action.status === 'queued') model.queued.push(held.entry);
      const [late] = await queue.patch([{ id, leaseId, via: 'nats', status: 'completed' }]);
      expect(late).toMatchObject({ failure: { code: 'LEASE_LOST' } });
      return;
    }
    case 'expire': {
      const held = chosen(action.which);
      if (held === undefined) return;
      await sql`UPDATE leases SET until = now() - interval '1 second' WHERE task_id = ${held.task.id}`;
      expect(await queue.sweep()).toBe(1);
      model.held.delete(held.task.id);
      if (held.attempts < maxAttempts && !isQueued(held.entry.ooi)) model.queued.push(held.entry);
    }
  }
}

describe('the queue against a model', () => {
  test(
    'behaves as a sorted list with leases, whatever is pushed, popped, settled or expires',
    { timeout: 120_000 },
    async () => {
      const under = await queueUnderTest({ maxAttempts });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          await under.sql`TRUNCATE tasks, queue, leases, rare_outcomes, schedules`;
          const model: Model = { queued: [], held: new Map(), attempts: new Map(), pushes: 0 };
          for (const action of steps) await apply(model, under, action);
          const rows = await under.sql`
          SELECT data->>'input_ooi' AS ooi FROM queue q JOIN tasks USING (id) ORDER BY q.rank, q.created_at, q.id`;
          const expected = model.queued.sort((a, b) => a.rank - b.rank || a.order - b.order).map(({ ooi }) => ooi);
          expect(rows.map((row) => row['ooi'])).toEqual(expected);
          const leases = await under.sql`SELECT task_id FROM leases ORDER BY task_id`;
          expect(leases.map((row) => row['task_id'])).toEqual([...model.held.keys()].sort());
        }),
        { numRuns: 30 },
      );
    },
  );
});
