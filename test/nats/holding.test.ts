import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RotaError, type ErrorCode } from '../../src/errors.ts';
import { createHolding, type Holding } from '../../src/nats/holding.ts';
import type { LeasedTask } from '../../src/tasks/task.ts';

const leaseMs = 6_000;
const task = { id: randomUUID(), lease_id: randomUUID() } as LeasedTask;
const renewed = { renewed: [task.id], lost: [] };

let answer: () => Promise<{ renewed: string[]; lost: string[] }>;
let sentAt: number[];
let told: unknown[];
let holding: Holding;

beforeEach(() => {
  vi.useFakeTimers();
  const began = Date.now();
  [sentAt, told] = [[], []];
  answer = async () => renewed;
  const heartbeat = () => (sentAt.push(Date.now() - began), answer());
  holding = createHolding({ client: { heartbeat }, leaseMs, onError: (error) => told.push(error) });
  holding.add(task);
});
afterEach(() => {
  holding.close();
  vi.useRealTimers();
});

const failing = (code: ErrorCode) => () => Promise.reject(new RotaError(code, 'no'));

test('a lease is renewed at every third of its length', async () => {
  await vi.advanceTimersByTimeAsync(leaseMs);
  expect(sentAt).toEqual([2_000, 4_000, 6_000]);
});

test('one of an hour is renewed every 20 s: its first minute is all that it has until then', async () => {
  const asked: unknown[] = [];
  const heartbeat = async (_leases: unknown, length: unknown) => (asked.push(length), renewed);
  const long = createHolding({ client: { heartbeat }, leaseMs: 3_600_000, onError: (error) => told.push(error) });
  long.add(task);
  await vi.advanceTimersByTimeAsync(60_000);
  long.close();
  expect(asked).toEqual([3_600_000, 3_600_000, 3_600_000]);
});

test('a heartbeat without an answer in time is repeated at once', async () => {
  answer = () => ((answer = async () => renewed), failing('ASK_TIMEOUT')());
  await vi.advanceTimersByTimeAsync(2_001);
  expect(sentAt).toHaveLength(2);
});

test('one whose answer never comes holds up no other', async () => {
  answer = () => new Promise(() => {});
  await vi.advanceTimersByTimeAsync(leaseMs);
  expect(sentAt).toEqual([2_000, 4_000, 6_000]);
});

test.each(['SERVICE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'] as const)(
  'in an outage (%s) of ten leases the task is kept, asked for at least twice a second, and reported once',
  async (code) => {
    answer = failing(code);
    await vi.advanceTimersByTimeAsync(10 * leaseMs);
    expect(holding.signalOf(task).aborted).toBe(false);
    expect(sentAt.length).toBeGreaterThan(2 * 10 * 6 - 10);
    expect(told).toHaveLength(1);
    answer = async () => renewed;
    const before = sentAt.length;
    await vi.advanceTimersByTimeAsync(500);
    expect(sentAt).toHaveLength(before + 1);
  },
);

test('what is lost is aborted, in an outage too, as soon as it is said', async () => {
  const signal = holding.signalOf(task);
  answer = failing('SERVICE_UNAVAILABLE');
  await vi.advanceTimersByTimeAsync(3 * leaseMs);
  answer = async () => ({ renewed: [], lost: [task.id] });
  await vi.advanceTimersByTimeAsync(500);
  expect(signal.reason).toMatchObject({ code: 'LEASE_LOST' });
  expect(holding.size).toBe(0);
});

test('a refusal is not repeated before its turn, and nothing is after the end', async () => {
  answer = failing('UNAUTHORIZED');
  await vi.advanceTimersByTimeAsync(3_999);
  expect(sentAt).toEqual([2_000]);
  answer = failing('SERVICE_UNAVAILABLE');
  await vi.advanceTimersByTimeAsync(1);
  holding.close();
  await vi.advanceTimersByTimeAsync(leaseMs);
  expect(sentAt).toEqual([2_000, 4_000]);
});
