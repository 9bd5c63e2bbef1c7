import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boefjeTask, ooiOf, popRequest, queueUnderTest, type QueueUnderTest } from '../support/queue.ts';

type Via = 'nats' | 'rest';

/** A task that is not finished, in the plainest words. */
interface Entry {
  readonly id: string;
  readonly ooi: string;
  readonly rank: number;
  readonly order: number;
  readonly group: string | null;
  attempts: number;
  /** Claims over REST that no runner began. */
  unbegun: number;
  /** The claim over REST of its group that has it, or that it came back from unbegun. */
  unit: number | null;
}

/** A task that is handed out. */
interface Held {
  readonly entry: Entry;
  readonly via: Via;
  readonly leaseId: string | null;
  status: 'dispatched' | 'running';
  /** Its holder has sent a heartbeat or a patch since it was claimed. */
  begun: boolean;
  /** What its pop asked for. */
  readonly askedMs: number;
  /** What its lease lasts, from when it was renewed last. */
  lengthMs: number;
}

/** What the queue should be: one list, and what is handed out. */
interface Model {
  queued: Entry[];
  held: Map<string, Held>;
  pushes: number;
  units: number;
}

type Step =
  | { kind: 'push'; ooi: number; rank: number; group: number | null }
  | { kind: 'pop'; limit: number; via: Via; leaseMs: number }
  | { kind: 'heartbeat'; which: number; leaseMs: number | null }
  | { kind: 'settle'; which: number; status: 'completed' | 'failed' | 'cancelled' | 'queued' | 'running' }
  | { kind: 'expire'; which: number; outage: boolean }
  | { kind: 'late'; which: number };

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
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pop' as const),
      limit: fc.integer({ min: 1, max: 4 }),
      via: fc.constantFrom('nats', 'rest'),
      leaseMs: fc.constantFrom(30_000, 60_000, 600_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which: fc.nat(),
      status: fc.constantFrom('completed', 'failed', 'cancelled', 'queued', 'running'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('heartbeat' as const),
      which: fc.nat(),
      leaseMs: fc.constantFrom(null, 20_000, 300_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const), which: fc.nat(), outage: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('late' as const), which: fc.nat() }) },
);

const maxAttempts = 2;
const graceMs = 86_400_000;
const late = { via: 'rest', leaseId: null, askedMs: graceMs, lengthMs: graceMs } as const;

/** A task that was dispatched, or was queued until its runner came late, runs; over REST its unit follows. */
function begin(model: Model, leader: Held): void {
  const { unit } = leader.entry;
  const members = [...model.held.values()].filter(
    ({ entry, status }) => entry.unit === unit && status === 'dispatched',
  );
  const led = leader.status === 'running' ? [] : unit === null ? [leader] : [leader, ...members];
  if (leader.status === 'dispatched' && unit !== null) {
    const back = model.queued.filter((entry) => entry.unit === unit);
    model.queued = model.queued.filter((entry) => !back.includes(entry));
    led.push(...back.map((entry): Held => ({ ...late, entry, status: 'running', begun: true })));
  }
  for (const held of led) {
    if (held.via === 'rest') held.lengthMs = graceMs;
    else if (!held.begun) held.lengthMs = held.askedMs;
    Object.assign(held, { status: 'running', begun: true });
    model.held.set(held.entry.id, held);
  }
}

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
      if (outcome!.outcome !== 'queued') return;
      const { id } = outcome!;
      const order = (model.pushes += 1);
      model.queued.push({ id, ooi, rank: action.rank, order, group, attempts: 0, unbegun: 0, unit: null });
      return;
    }
    case 'pop': {
      const expected: Entry[][] = [];
      const order = () => model.queued.sort((a, b) => a.rank - b.rank || a.order - b.order);
      const taken: Entry[] = [];
      // A claim locks `limit` rows at most as heads; several of one group are one unit.
      for (const head of order().slice(0, action.limit)) {
        if (taken.includes(head)) continue;
        const unit = head.group === null ? [head] : order().filter(({ group }) => group === head.group);
        taken.push(...unit);
        expected.push(unit);
      }
      const { via, leaseMs: askedMs } = action;
      const lengthMs = via === 'nats' ? Math.min(askedMs, 60_000) : askedMs;
      const claimed = await queue.pop('boefje', popRequest({ limit: action.limit, via, leaseMs: askedMs }));
      const units = Object.values(Object.groupBy(claimed, ({ unit }) => unit)).map((unit) => unit!.map(ooiOf));
      expect(units).toEqual(expected.map((unit) => unit.map(({ ooi }) => ooi)));
      model.queued = model.queued.filter((entry) => !taken.includes(entry));
      for (const unit of expected) {
        model.units += 1;
        for (const entry of unit) {
          entry.attempts += 1;
          entry.unit = via === 'rest' && entry.group !== null ? model.units : null;
          const { leaseId, attempts } = claimed.find(({ id }) => id === entry.id)!;
          expect(attempts).toBe(entry.attempts);
          const named = via === 'nats' ? leaseId : null;
          const of = { entry, via, leaseId: named, askedMs, lengthMs };
          model.held.set(entry.id, { ...of, status: 'dispatched', begun: false });
        }
      }
      return;
    }
    case 'settle': {
      const held = chosen(action.which);
      if (held === undefined) return;
      const { entry, via, leaseId } = held;
      const { id } = entry;
      const twin = action.status === 'queued' && isQueued(entry.ooi);
      const [outcome] = await queue.patch([{ id, leaseId, via, status: action.status }]);
      expect(outcome!.ok).toBe(!twin);
      if (twin) return;
      if (action.status === 'running') return begin(model, held);
      model.held.delete(id);
      if (action.status === 'queued') model.queued.push(Object.assign(entry, { unit: null }));
      if (via === 'rest') return;
      const [late] = await queue.patch([{ id, leaseId, via, status: 'completed' }]);
      expect(late).toMatchObject(action.status === 'completed' ? { ok: true } : { failure: { code: 'LEASE_LOST' } });
      const [again] = await queue.patch([{ id, leaseId, via, status: action.status }]);
      expect(again).toMatchObject({ ok: true });
      return;
    }
    case 'heartbeat': {
      const held = chosen(action.which);
      if (held === undefined || held.leaseId === null) return;
      const { id } = held.entry;
      expect(await queue.heartbeat([{ id, leaseId: held.leaseId }], action.leaseMs)).toMatchObject({ renewed: [id] });
      held.lengthMs = action.leaseMs ?? (held.begun ? held.lengthMs : held.askedMs);
      held.begun = true;
      return;
    }
    case 'expire': {
      const held = chosen(action.which);
      if (held === undefined) return;
      const { entry, begun } = held;
      await sql`UPDATE leases SET until = now() - interval '1 second', renewed_at = now() - interval '1 hour'
        WHERE task_id = ${entry.id}`;
      if (action.outage) {
        // Expired for less than a minute, then for longer: a gap spares a lease of an hour for a minute.
        await sql`INSERT INTO gaps SELECT until - interval '1 second', now() FROM leases WHERE task_id = ${entry.id}`;
        expect(await queue.sweep()).toBe(0);
        await sql`UPDATE gaps SET began_at = began_at - interval '61 seconds', ended_at = ended_at - interval '61 seconds'`;
        await sql`UPDATE leases SET until = until - interval '61 seconds' WHERE task_id = ${entry.id}`;
      }
      expect(await queue.sweep()).toBe(1);
      await sql`DELETE FROM gaps`;
      model.held.delete(entry.id);
      const free = action.outage || (!begun && entry.unbegun < 2);
      if ((entry.attempts >= maxAttempts && !free) || isQueued(entry.ooi)) return;
      // A task that began late was not claimed: there is none to take back.
      if (free) entry.attempts = Math.max(0, entry.attempts - 1);
      entry.unbegun += begun ? 0 : 1;
      entry.unit = begun ? null : entry.unit;
      model.queued.push(entry);
      return;
    }
    case 'late': {
      const entry = model.queued[action.which % Math.max(1, model.queued.length)];
      if (entry === undefined) return;
      const [outcome] = await queue.patch([{ id: entry.id, leaseId: null, via: 'rest', status: 'running' }]);
      expect(outcome!.ok).toBe(true);
      model.queued = model.queued.filter((other) => other !== entry);
      begin(model, { ...late, entry, status: 'dispatched', begun: false });
    }
  }
}

describe('the queue against a model', () => {
  test(
    'behaves as a sorted list with leases, whatever is pushed, popped, settled, expires or begins late',
    { timeout: 120_000 },
    async () => {
      const under = await queueUnderTest({ maxAttempts });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          await under.sql`TRUNCATE tasks, queue, leases, rare_outcomes, schedules`;
          const model: Model = { queued: [], held: new Map(), pushes: 0, units: 0 };
          for (const action of steps) await apply(model, under, action);
          const rows = await under.sql`
          SELECT data->>'input_ooi' AS ooi FROM queue q JOIN tasks USING (id) ORDER BY q.rank, q.created_at, q.id`;
          const expected = model.queued.sort((a, b) => a.rank - b.rank || a.order - b.order).map(({ ooi }) => ooi);
          expect(rows.map((row) => row['ooi'])).toEqual(expected);
          const leases = await under.sql`
          SELECT id, lower(status::text) AS status, via, attempts, unbegun,
            extract(epoch FROM until - renewed_at)::float8 * 1000 AS length FROM leases JOIN tasks ON id = task_id ORDER BY id`;
          const held = [...model.held.values()].map(
            ({ entry: { id, attempts, unbegun }, status, via, lengthMs: length }) => ({
              id,
              status,
              via,
              attempts,
              unbegun,
              length,
            }),
          );
          expect(leases).toEqual(held.sort((a, b) => (a.id < b.id ? -1 : 1)));
        }),
        { numRuns: 30 },
      );
    },
  );
});
