import { MessageChannel, Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ActorRef } from '../../src/mailbox/ref.ts';
import type { Item, TallyData } from '../fixtures/threads/tally.ts';

const plans = fc.record({
  capacity: fc.integer({ min: 1, max: 6 }),
  batch: fc.integer({ min: 1, max: 6 }),
  window: fc.integer({ min: 1, max: 6 }),
  senders: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 4 }),
  crashAt: fc.option(fc.integer({ min: 0, max: 60 })),
});

test('across real threads nothing is lost, duplicated or reordered per sender, crash or not', async () => {
  // A thread costs 40 ms: fewer runs than where there is none.
  await fc.assert(fc.asyncProperty(plans, run), { numRuns: 25 });
});

async function run(plan: typeof plans extends fc.Arbitrary<infer P> ? P : never): Promise<void> {
  const channels = plan.senders.map(() => new MessageChannel());
  const report = new MessageChannel();
  const ports = channels.map((channel) => channel.port2);
  const { capacity, batch, crashAt } = plan;
  const worker = new Worker(new URL('../fixtures/threads/tally.ts', import.meta.url), {
    workerData: { ports, handled: report.port2, capacity, batch, crashAt } satisfies TallyData,
    transferList: [...ports, report.port2],
  });
  const died = new Promise((resolve) => worker.once('error', resolve));
  const handled: Item[] = [];
  report.port1.on('message', (item: Item) => handled.push(item));
  const allReported = new Promise((resolve) => report.port1.once('close', resolve));

  const refs = channels.map((channel) => new ActorRef<Item>(channel.port1, { window: plan.window }));
  const outcomes = await Promise.all(
    plan.senders.flatMap((count, sender) =>
      Array.from({ length: count }, async (_, number) => {
        const outcome = await refs[sender]!.ask({ kind: 'item', sender, number }, { withinMs: 60_000 });
        return { sender, number, outcome: outcome.outcome, ok: outcome.outcome === 'reply' && outcome.result.ok };
      }),
    ),
  );
  const total = outcomes.length;
  if (crashAt !== null && crashAt < total) await died;
  await worker.terminate();
  await allReported;

  for (const sender of plan.senders.keys()) {
    const numbers = handled.filter((item) => item.sender === sender).map((item) => item.number);
    expect(numbers).toEqual(numbers.map((_, index) => index));
  }
  expect(handled).toHaveLength(Math.min(total, crashAt ?? Infinity));
  for (const { sender, number, outcome, ok } of outcomes) {
    expect(outcome).not.toBe('timeout');
    if (ok) expect(handled).toContainEqual({ kind: 'item', sender, number });
  }
  expect(outcomes.filter(({ ok }) => ok)).toHaveLength(handled.length);
}
