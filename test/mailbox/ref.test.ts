import { MessageChannel } from 'node:worker_threads';
import * as fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import type { Delivery } from '../../src/mailbox/message.ts';
import { Mailbox, receive } from '../../src/mailbox/mailbox.ts';
import { ActorRef, type RefOptions, valueOf } from '../../src/mailbox/ref.ts';
import { inTrace } from '../../src/mailbox/trace.ts';

interface Work {
  readonly kind: 'work';
  readonly item: unknown;
}

const work = (item: unknown): Work => ({ kind: 'work', item });
const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach((close) => close()));

/** An actor at the other end of a real port; the handler is the test's. */
function connect(
  handler: (batch: readonly Delivery<Work>[]) => Promise<void>,
  options: RefOptions & { capacity?: number } = {},
) {
  const { port1, port2 } = new MessageChannel();
  const mailbox = new Mailbox<Work>(
    { work: handler },
    { capacity: options.capacity ?? 100, crashed: () => port2.close() },
  );
  receive(port2, mailbox, { drain: (withinMs) => mailbox.drain(withinMs), stop: () => port2.close() });
  const ref = new ActorRef<Work>(port1, options);
  closing.push(() => ref.close());
  return { ref, mailbox, die: () => port2.close() };
}

const never = () => new Promise<void>(() => undefined);

test('an ask that is answered gives the reply as a result', async () => {
  const { ref } = connect(async ([first]) => first!.done({ echoed: first!.message.item }));
  expect(await ref.ask(work('a'), { withinMs: 10_000 })).toEqual({
    outcome: 'reply',
    result: { ok: true, value: { echoed: 'a' } },
  });
});

test('a failure crosses as data with its code', async () => {
  const failure = { code: 'CONFLICT', message: 'queued already', retryable: false, fields: { id: '1' } };
  const { ref } = connect(async ([first]) => first!.fail(failure));
  const outcome = await ref.ask(work('a'), { withinMs: 10_000 });
  expect(outcome).toEqual({ outcome: 'reply', result: { ok: false, failure } });
  expect(() => valueOf(outcome, 'work')).toThrow(expect.objectContaining({ code: 'CONFLICT', fields: { id: '1' } }));
});

test('an ask without an answer times out, and its late reply is dropped and counted', async () => {
  const gate = Promise.withResolvers<void>();
  const { ref } = connect(() => gate.promise);
  expect(await ref.ask(work('a'), { withinMs: 1 })).toEqual({ outcome: 'timeout' });
  gate.resolve();
  expect(await ref.ask(work('b'), { withinMs: 10_000 })).toMatchObject({ outcome: 'reply' });
  expect(ref.status()).toEqual({ pending: 0, lateReplies: 1 });
});

test('an ask that times out before it got a credit is never sent', async () => {
  const seen: unknown[] = [];
  const gate = Promise.withResolvers<void>();
  const { ref } = connect(
    async (batch) => {
      seen.push(...batch.map((delivery) => delivery.message.item));
      await gate.promise;
    },
    { window: 1, capacity: 1 },
  );
  await ref.tell(work('in hand'));
  await ref.ping(10_000);
  await ref.tell(work('queued'));
  const unaccepted = ref.tell(work('on the port'));
  expect(await ref.ask(work('never sent'), { withinMs: 1 })).toEqual({ outcome: 'timeout' });
  gate.resolve();
  await unaccepted;
  await ref.ask(work('last'), { withinMs: 10_000 });
  expect(seen).toEqual(['in hand', 'queued', 'on the port', 'last']);
});

test('a dying port settles everything pending as terminated, and refuses whatever comes later', async () => {
  const entered = Promise.withResolvers<void>();
  const { ref, die } = connect(
    () => {
      entered.resolve();
      return never();
    },
    { window: 1, capacity: 1 },
  );
  const asks = [1, 2, 3, 4].map((item) => ref.ask(work(item), { withinMs: 60_000 }));
  const tell = ref.tell(work(5));
  await entered.promise;
  die();
  expect(await Promise.all(asks)).toEqual(asks.map(() => ({ outcome: 'terminated' })));
  const gone = { ok: false, failure: { code: 'ACTOR_TERMINATED', retryable: false } };
  expect(await tell).toMatchObject(gone);
  await ref.closed;
  expect(await ref.tell(work('late'))).toMatchObject(gone);
  expect(await ref.ask(work('late'), { withinMs: 60_000 })).toEqual({ outcome: 'terminated' });
  expect(await ref.ping(60_000)).toEqual({ outcome: 'terminated' });
});

test('signals are answered while a handler waits and the lane is full', async () => {
  const { ref } = connect(never, { window: 1, capacity: 1 });
  for (const item of [1, 2, 3, 4]) void ref.tell(work(item));
  expect(await ref.ping(10_000)).toMatchObject({ outcome: 'reply' });
  expect(await ref.drain(1)).toMatchObject({ outcome: 'reply', result: { value: expect.any(Number) } });
});

test('a message that is no plain data fails its sender alone, and so does a reply', async () => {
  const { ref } = connect(async (batch) => batch.forEach((delivery) => delivery.done(() => undefined)), { window: 1 });
  expect(await ref.tell(work(() => undefined))).toMatchObject({ failure: { code: 'BROKEN' } });
  const outcome = await ref.ask(work('asks for a function'), { withinMs: 10_000 });
  expect(outcome).toMatchObject({ result: { failure: { code: 'BROKEN', message: expect.stringContaining('work') } } });
});

test('a message carries the trace of its sender', async () => {
  const { ref } = connect(async ([first]) => first!.done(first!.trace));
  const outcome = await inTrace('00-aa-01-01', () => ref.ask(work('a'), { withinMs: 10_000 }));
  expect(outcome).toMatchObject({ result: { value: '00-aa-01-01' } });
});

test('over a port too, messages arrive once and in order, and no more are under way than the bounds allow', async () => {
  const plan = fc.record({
    window: fc.integer({ min: 1, max: 5 }),
    capacity: fc.integer({ min: 1, max: 5 }),
    messages: fc.array(fc.constantFrom('tell', 'ask'), { maxLength: 60 }),
    diesAfter: fc.option(fc.integer({ min: 0, max: 40 })),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ window, capacity, messages, diesAfter }) => {
      const handled: unknown[] = [];
      let under = 0;
      const { ref, die, mailbox } = connect(
        async (batch) => {
          const [lane] = mailbox.status();
          under = Math.max(under, lane!.queued + lane!.waiting);
          for (const delivery of batch) {
            if (handled.length === diesAfter) return die();
            handled.push(delivery.message.item);
            delivery.done(delivery.message.item);
          }
        },
        { window, capacity },
      );
      const outcomes = await Promise.all(
        messages.map(async (how, item) => {
          if (how === 'tell') return (await ref.tell(work(item))).ok;
          const outcome = await ref.ask<number>(work(item), { withinMs: 60_000 });
          return outcome.outcome === 'reply' && outcome.result.ok && outcome.result.value === item;
        }),
      );
      await ref.drain(60_000);
      expect(under).toBeLessThanOrEqual(capacity + window);
      expect(handled).toEqual(messages.map((_, item) => item).slice(0, handled.length));
      if (diesAfter === null) expect(outcomes.every(Boolean)).toBe(true);
      const answered = outcomes.flatMap((ok, item) => (ok && messages[item] === 'ask' ? [item] : []));
      expect(handled).toEqual(expect.arrayContaining(answered));
      ref.close();
    }),
  );
});
