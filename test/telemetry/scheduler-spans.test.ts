import { expect, test } from 'vitest';
import type { Delivery, Message } from '../../src/mailbox/message.ts';
import { Mailbox } from '../../src/mailbox/mailbox.ts';
import { contextOf, currentTrace, newTrace } from '../../src/mailbox/trace.ts';
import { handlersInSpans } from '../../src/telemetry/scheduler-spans.ts';
import { followSpans } from '../support/ended-spans.ts';

type Handler = (batch: readonly Delivery[]) => Promise<void>;

function mailboxOf(handler: Handler) {
  const behavior = handlersInSpans<Message>(
    { 'scan-profile-mutated': handler },
    {
      scheduler: 'boefje',
      type: 'boefje',
    },
  );
  return new Mailbox<Message>(behavior, { crashed: () => undefined });
}

const message = { kind: 'scan-profile-mutated' };

test('each message of a batch has a span in its own trace; the others link to the first, and the work is in its trace', async () => {
  const spans = followSpans();
  const traces = [newTrace(), newTrace(), ''];
  const seen: { deliveries: readonly string[]; work: string }[] = [];
  const mailbox = mailboxOf(async (batch) => {
    seen.push({ deliveries: batch.map(({ trace }) => trace), work: currentTrace() });
  });
  await Promise.all(traces.map((trace) => mailbox.ask(message, { trace })));

  const [first, second, third] = await spans();
  expect([first, second, third].map((span) => span!.parent)).toEqual(traces);
  expect([first, second, third].map((span) => span!.links)).toEqual([[], [first!.trace], [first!.trace]]);
  expect(contextOf(second!.trace)!.traceId).toBe(contextOf(traces[1]!)!.traceId);
  expect(first!.attributes).toEqual({ 'rota.scheduler': 'boefje', 'rota.count': 3 });
  expect(seen).toEqual([{ deliveries: [first, second, third].map((span) => span!.trace), work: first!.trace }]);
});

test('a message that fails fails its span alone', async () => {
  const spans = followSpans();
  const failure = { code: 'SERVICE_REJECTED', message: 'no', retryable: true };
  const mailbox = mailboxOf(async ([first, second]) => {
    first!.fail(failure);
    second!.done('well');
  });
  const results = await Promise.all([mailbox.ask(message), mailbox.ask(message)]);
  expect(results).toEqual([
    { ok: false, failure },
    { ok: true, value: 'well' },
  ]);
  expect((await spans()).map((span) => span.failure)).toEqual(['SERVICE_REJECTED', null]);
});

test('a handler that throws fails every span that is open, and the batch as ever', async () => {
  const spans = followSpans();
  const outage = Object.assign(new Error('away'), { code: 'SERVICE_UNAVAILABLE', retryable: true });
  const mailbox = mailboxOf(() => Promise.reject(outage));
  const results = await Promise.all([mailbox.ask(message), mailbox.ask(message)]);
  expect(results.map((result) => result.ok)).toEqual([false, false]);
  expect((await spans()).map((span) => span.failure)).toEqual(['SERVICE_UNAVAILABLE', 'SERVICE_UNAVAILABLE']);
});
