import { expect, onTestFinished, test, vi } from 'vitest';
import type { Delivery } from '../../src/mailbox/message.ts';
import { startClock, Mailbox, type MailboxOptions } from '../../src/mailbox/mailbox.ts';
import { currentTrace } from '../../src/mailbox/trace.ts';

interface Work {
  readonly kind: 'work';
  readonly item: string;
}
interface Other {
  readonly kind: 'other';
}

const work = (item: string): Work => ({ kind: 'work', item });
const terminated = { ok: false, failure: expect.objectContaining({ code: 'ACTOR_TERMINATED' }) };

/** A mailbox whose 'work' handler waits until the test lets it go on. */
function gated(options: Partial<MailboxOptions> = {}) {
  const batches: string[][] = [];
  let entered = Promise.withResolvers<void>();
  let gate = Promise.withResolvers<void>();
  const crashes: unknown[] = [];
  const mailbox = new Mailbox<Work | Other>(
    {
      work: async (batch) => {
        batches.push(batch.map((delivery) => delivery.message.item));
        entered.resolve();
        await gate.promise;
      },
      other: async () => undefined,
    },
    { crashed: (error) => crashes.push(error), ...options },
  );
  return {
    mailbox,
    batches,
    crashes,
    entered: () => entered.promise,
    open: () => gate.resolve(),
    fail: (thrown: unknown) => {
      const closed = gate;
      gate = Promise.withResolvers();
      entered = Promise.withResolvers();
      closed.reject(thrown);
    },
  };
}

test('what waits while a batch is handled becomes the next batch', async () => {
  const { mailbox, batches, entered, open } = gated();
  const first = mailbox.ask(work('a'));
  await entered();
  const rest = ['b', 'c', 'd'].map((item) => mailbox.ask(work(item)));
  open();
  await Promise.all([first, ...rest]);
  expect(batches).toEqual([['a'], ['b', 'c', 'd']]);
});

test('a full lane makes its senders wait until there is a place, and no other lane', async () => {
  const { mailbox, entered, open } = gated({ capacity: 1 });
  await mailbox.tell(work('in hand'));
  await entered();
  await mailbox.tell(work('queued'));
  let accepted = false;
  const waiting = mailbox.tell(work('waiting')).then(() => (accepted = true));
  expect(await mailbox.ask({ kind: 'other' })).toEqual({ ok: true });
  expect(accepted).toBe(false);
  expect(mailbox.status()[0]).toMatchObject({ kind: 'work', queued: 1, waiting: 1, inHand: 1 });
  open();
  await waiting;
});

test('a message that finds too many waiting is refused at once', async () => {
  const { mailbox, entered } = gated({ capacity: 1, maxWaiting: 1 });
  void mailbox.tell(work('in hand'));
  await entered();
  void mailbox.tell(work('queued'));
  void mailbox.tell(work('waiting'));
  expect(await mailbox.tell(work('refused'))).toMatchObject({ failure: { code: 'MAILBOX_FULL', retryable: true } });
});

test('a message that no handler is for is refused', async () => {
  const { mailbox } = gated();
  const result = await mailbox.ask({ kind: 'unheard-of' } as unknown as Other);
  expect(result).toMatchObject({
    failure: { code: 'UNKNOWN_MESSAGE', message: expect.stringContaining('unheard-of') },
  });
});

test('a retryable error fails the batch and the lane goes on', async () => {
  const { mailbox, batches, crashes, entered, open, fail } = gated();
  const first = mailbox.ask(work('a'));
  await entered();
  fail(Object.assign(new Error('katalogus is down'), { code: 'SERVICE_UNAVAILABLE', retryable: true }));
  expect(await first).toMatchObject({ failure: { code: 'SERVICE_UNAVAILABLE', message: 'katalogus is down' } });
  const second = mailbox.ask(work('b'));
  open();
  expect(await second).toMatchObject({ ok: true });
  expect(batches).toEqual([['a'], ['b']]);
  expect(crashes).toEqual([]);
});

test('any other error closes the mailbox: its batch fails with it, everything else is terminated', async () => {
  const { mailbox, crashes, entered, fail } = gated({ capacity: 1 });
  const inHand = mailbox.ask(work('in hand'));
  await entered();
  const [queued, waiting] = [mailbox.ask(work('queued')), mailbox.ask(work('waiting'))];
  const bug = new TypeError('undefined is not a function');
  fail(bug);
  expect(await inHand).toMatchObject({ failure: { code: 'BROKEN', message: bug.message } });
  expect(await Promise.all([queued, waiting])).toEqual([terminated, terminated]);
  expect(crashes).toEqual([bug]);
  expect(await mailbox.tell(work('late'))).toEqual(terminated);
});

test('a handler settles each message as it likes, once', async () => {
  const failure = { code: 'CONFLICT', message: 'no', retryable: false };
  const mailbox = new Mailbox<Work>(
    {
      work: async (batch) => {
        for (const delivery of batch) {
          if (delivery.message.item === 'fails') delivery.fail(failure);
          if (delivery.message.item === 'is done') delivery.done(42);
          if (delivery.message.item !== 'is left') delivery.done('too late');
        }
      },
    },
    { crashed: () => undefined },
  );
  expect(await Promise.all(['fails', 'is done', 'is left'].map((item) => mailbox.ask(work(item))))).toEqual([
    { ok: false, failure },
    { ok: true, value: 42 },
    { ok: true, value: undefined },
  ]);
  expect(mailbox.status()).toMatchObject([{ done: 2, failed: 1, queued: 0, inHand: 0 }]);
});

test('a drain refuses new messages and resolves when the last one is settled', async () => {
  const { mailbox, entered, open } = gated();
  const inHand = mailbox.ask(work('in hand'));
  await entered();
  const drained = mailbox.drain(60_000);
  expect(await mailbox.tell(work('new'))).toMatchObject({ failure: { code: 'DRAINING', retryable: true } });
  open();
  expect(await drained).toBe(0);
  expect(await inHand).toMatchObject({ ok: true });
});

test('a drain that takes too long ends with how many messages are left', async () => {
  const { mailbox, entered } = gated();
  void mailbox.tell(work('in hand'));
  await entered();
  void mailbox.tell(work('queued'));
  expect(await mailbox.drain(1)).toBe(2);
});

test('a handler runs in the trace of the first message of its batch, and sees the trace of each', async () => {
  const seen: string[] = [];
  const mailbox = new Mailbox<Work>(
    {
      work: async (batch: readonly Delivery[]) => {
        await Promise.resolve();
        seen.push(currentTrace(), ...batch.map((delivery) => delivery.trace));
      },
    },
    { crashed: () => undefined },
  );
  await Promise.all([
    mailbox.ask(work('a'), { trace: '00-aa-01-01' }),
    mailbox.ask(work('b'), { trace: '00-bb-02-01' }),
  ]);
  expect(seen).toEqual(['00-aa-01-01', '00-aa-01-01', '00-bb-02-01']);
});

test('a clock ticks again only after its last tick was settled, however long that takes', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { mailbox, batches, entered, open } = gated();
  const stop = startClock(mailbox, work('tick'), 1_000);
  await entered();
  vi.advanceTimersByTime(60_000);
  expect(mailbox.status()).toMatchObject([{ queued: 0, inHand: 1 }, {}]);
  open();
  await expect.poll(() => vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(1_000);
  await expect.poll(() => batches).toEqual([['tick'], ['tick']]);
  stop();
});
