import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Delivery } from '../../src/mailbox/message.ts';
import type { Result } from '../../src/mailbox/failure.ts';
import { Mailbox } from '../../src/mailbox/mailbox.ts';

interface Numbered {
  readonly kind: 'first' | 'second';
  readonly sender: number;
  readonly number: number;
  readonly alone: boolean;
}

interface Send {
  readonly kind: Numbered['kind'];
  readonly alone: boolean;
  /** The sender waits until this one is accepted before it goes on. */
  readonly waits: boolean;
}

const send = fc.record<Send>({
  kind: fc.constantFrom('first', 'second'),
  alone: fc.boolean(),
  waits: fc.boolean(),
});

const run = fc.record({
  capacity: fc.integer({ min: 1, max: 8 }),
  batch: fc.integer({ min: 1, max: 8 }),
  senders: fc.array(fc.array(send, { maxLength: 40 }), { minLength: 1, maxLength: 5 }),
  /** Turns of the event loop that the handler takes for each batch, in turn. */
  turns: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1 }),
});

test('no message is lost, duplicated or reordered per sender and lane, whatever the bounds', async () => {
  await fc.assert(
    fc.asyncProperty(run, async (plan) => {
      const { handled, settled, sent, worstQueue, batches } = await execute(plan, Infinity);
      expect(handled.toSorted(bySender)).toEqual(sent);
      expectInOrder(handled);
      expect([...settled.values()]).toEqual(sent.map(() => [true]));
      expect(worstQueue).toBeLessThanOrEqual(plan.capacity);
      for (const batch of batches) {
        expect(batch.length).toBeLessThanOrEqual(plan.batch);
        if (batch.some((message) => message.alone)) expect(batch.length).toBe(1);
      }
    }),
  );
});

test('a crash settles every message exactly once, and what was handled was handled in order and once', async () => {
  await fc.assert(
    fc.asyncProperty(run, fc.integer({ min: 0, max: 60 }), async (plan, crashAt) => {
      const { handled, settled, sent } = await execute(plan, crashAt);
      expectInOrder(handled);
      expect(new Set(handled.map(keyOf)).size).toBe(handled.length);
      expect(settled.size).toBe(sent.length);
      for (const results of settled.values()) expect(results).toHaveLength(1);
      // Done means handled; failed may mean handled too, since the crash may have come first.
      const done = [...settled].filter(([, [ok]]) => ok).map(([key]) => key);
      expect(handled.map(keyOf)).toEqual(expect.arrayContaining(done));
    }),
  );
});

async function execute(plan: typeof run extends fc.Arbitrary<infer P> ? P : never, crashAt: number) {
  const handled: Numbered[] = [];
  const batches: (readonly Numbered[])[] = [];
  let worstQueue = 0;
  let turn = 0;
  const handle = async (batch: readonly Delivery<Numbered>[]) => {
    batches.push(batch.map((delivery) => delivery.message));
    for (const lane of mailbox.status()) worstQueue = Math.max(worstQueue, lane.queued);
    for (let turns = plan.turns[turn++ % plan.turns.length]!; turns > 0; turns--) await nextTurn();
    for (const delivery of batch) {
      if (handled.length === crashAt) throw new Error('crash');
      handled.push(delivery.message);
      delivery.done();
    }
  };
  const mailbox = new Mailbox<Numbered>(
    { first: handle, second: handle },
    { capacity: plan.capacity, batch: plan.batch, crashed: () => undefined },
  );

  const settled = new Map<string, boolean[]>();
  const sent: Numbered[] = [];
  const outcomes: Promise<void>[] = [];
  const sendAll = async (sends: readonly Send[], sender: number) => {
    for (const [number, { kind, alone, waits }] of sends.entries()) {
      const message: Numbered = { kind, sender, number, alone };
      sent.push(message);
      const { promise: accepted, resolve: accept } = Promise.withResolvers<void>();
      const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
      outcomes.push(finished);
      const settle = (result: Result<unknown>) => {
        settled.set(keyOf(message), [...(settled.get(keyOf(message)) ?? []), result.ok]);
        accept();
        finish();
      };
      mailbox.post({ message, trace: '', alone, accepted: accept, settled: settle });
      if (waits) await accepted;
    }
  };
  await Promise.all(plan.senders.map(sendAll));
  await Promise.all(outcomes);
  await nextTurn();
  return { handled, settled, sent: sent.toSorted(bySender), worstQueue, batches };
}

function expectInOrder(handled: readonly Numbered[]): void {
  const last = new Map<string, number>();
  for (const { sender, kind, number } of handled) {
    const lane = `${sender}/${kind}`;
    expect(number).toBeGreaterThan(last.get(lane) ?? -1);
    last.set(lane, number);
  }
}

const keyOf = ({ sender, number }: Numbered) => `${sender}/${number}`;
const bySender = (a: Numbered, b: Numbered) => a.sender - b.sender || a.number - b.number;
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
