import { afterEach, expect, test, vi } from 'vitest';
import { defaultQueueBounds, type PopRequest } from '../../../src/queue/queue.ts';
import { type ClaimRow, claimStatement, type Want } from '../../../src/queue/pop/claim.ts';
import type { FilterRequest } from '../../../src/queue/filter/filter.ts';
import { HeldLeases } from '../../../src/queue/pop/held-leases.ts';
import { Waiters } from '../../../src/queue/pop/waiters.ts';

/** Waiters on a queue whose claims the test answers one by one. */
function waitersUnderTest() {
  const givenBack: ClaimRow[] = [];
  const claims: ((tasks: number) => void)[] = [];
  const listeners: ((claim: (tasks: number) => void) => void)[] = [];
  const waiters = new Waiters({
    scheduler: 'boefje',
    statementOf,
    claim: (wants: readonly Want[]) =>
      new Promise((resolve) => {
        const answer = (tasks: number) =>
          resolve({ kept: Array.from({ length: Math.min(tasks, wants.length) }, rowOf), left: [] });
        const listener = listeners.shift();
        if (listener === undefined) claims.push(answer);
        else listener(answer);
      }),
    giveBack: (rows) => givenBack.push(...rows),
    maxParked: 10,
    held: new HeldLeases({ most: Number.POSITIVE_INFINITY, count: async () => 0 }),
    bounds: defaultQueueBounds,
  });
  const nextClaim = async () =>
    claims.shift() ?? new Promise<(tasks: number) => void>((resolve) => listeners.push(resolve));
  return { waiters, nextClaim, givenBack };
}

const statementOf = (filters: FilterRequest | null) => claimStatement(filters, 'boefje');

function rowOf(_: unknown, index: number): ClaimRow {
  const lease = { attempts: 1, lease_id: 'lease', lease_until: '' };
  return {
    unit: index + 1,
    id: 'id',
    organisation: 'aa',
    ...lease,
    task: '{}',
    traceparent: null,
    waited: 0,
    rank: 2,
    plugin: '',
    image: '',
  };
}

const request = (more: Partial<PopRequest> = {}): PopRequest => ({
  limit: 1,
  filters: null,
  waitMs: 0,
  leaseMs: 1_000,
  via: 'rest',
  worker: null,
  ...more,
});

afterEach(() => {
  vi.useRealTimers();
});

test('a requester that leaves after its answer does not strand the pops after it', async () => {
  const { waiters, nextClaim } = waitersUnderTest();
  const requester = new AbortController();
  const answered = waiters.pop(request({ signal: requester.signal }));
  (await nextClaim())(1);
  expect(await answered).toHaveLength(1);
  await new Promise(setImmediate);
  const next = waiters.pop(request({ waitMs: 60_000 }));
  (await nextClaim())(0);
  await expect.poll(() => waiters.parked).toBe(1);
  requester.abort();
  waiters.wake(1);
  (await nextClaim())(1);
  expect(await next).toHaveLength(1);
});

test('while claims hang a pop that does not wait is refused after ten seconds, and what comes too late goes back', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const { waiters, nextClaim, givenBack } = waitersUnderTest();
  const hanging: { pop: Promise<readonly unknown[]>; claim: (tasks: number) => void }[] = [];
  for (let at = 0; at < 4; at += 1) {
    const pop = waiters.pop(request());
    await new Promise(setImmediate);
    // One pop is too little for a claim beside others, until they have taken too long.
    vi.advanceTimersByTime(at === 0 ? 0 : 5);
    hanging.push({ pop, claim: await nextClaim() });
  }
  const behind = expect(waiters.pop(request())).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  vi.advanceTimersByTime(10_001);
  await behind;
  hanging[0]!.claim(1);
  expect(await hanging[0]!.pop).toEqual([]);
  expect(givenBack).toHaveLength(1);
});

test('a wait that ends by a timer a moment early, while a claim is under way, ends all the same', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { waiters, nextClaim } = waitersUnderTest();
  const pop = waiters.pop(request({ waitMs: 60_000 }));
  const claim = await nextClaim();
  vi.advanceTimersByTime(60_000);
  claim(0);
  expect(await pop).toEqual([]);
});

test('no more claims run at once than the bounds allow, and none asks for more units than they allow', async () => {
  const units: number[] = [];
  let inFlight = 0;
  let most = 0;
  const waiters = new Waiters({
    scheduler: 'boefje',
    statementOf,
    claim: async (wants) => {
      units.push(wants.length);
      most = Math.max(most, (inFlight += 1));
      await new Promise((resolve) => setImmediate(resolve));
      inFlight -= 1;
      return { kept: wants.map(rowOf), left: [] };
    },
    giveBack: () => {},
    maxParked: 10,
    held: new HeldLeases({ most: Number.POSITIVE_INFINITY, count: async () => 0 }),
    bounds: { ...defaultQueueBounds, claimsInFlight: 2, claimUnits: 5 },
  });
  await Promise.all(Array.from({ length: 16 }, () => waiters.pop(request())));
  expect(most).toBe(2);
  expect(units).toEqual([5, 5, 5, 1]);
});
