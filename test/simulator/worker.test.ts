import { expect, test } from 'vitest';
import { RotaError } from '../../src/errors.ts';
import { Ledger } from '../../src/simulator/measures.ts';
import { runSimulatedWorker, type SimulatedWorker, type TaskClient } from '../../src/simulator/worker.ts';
import type { LeasedTask } from '../../src/tasks/task.ts';

const leaseMs = 60_000;

function leased(id: string, attempts = 1): LeasedTask {
  const now = new Date();
  return {
    id,
    scheduler_id: 'report',
    schedule_id: null,
    organisation: 'org-1',
    priority: 1,
    status: 'dispatched',
    type: 'report',
    hash: id,
    data: {},
    created_at: now.toISOString(),
    modified_at: now.toISOString(),
    lease_id: `lease-of-${id}`,
    lease_until: new Date(now.getTime() + leaseMs).toISOString(),
    attempts,
  };
}

/** A service that hands out `units` one after the other, then stops the worker; `patch` may be made to fail. */
function setUp(units: LeasedTask[][], overrides: Partial<SimulatedWorker> = {}, patchFails: string[] = []) {
  const stopped = new AbortController();
  const patches: string[] = [];
  const client: TaskClient = {
    pop: async () => {
      const unit = units.shift();
      if (unit === undefined) stopped.abort();
      return unit ?? [];
    },
    patch: (async ({ id, status }: { id: string; status: string }) => {
      const code = patchFails.shift();
      if (code !== undefined) throw new RotaError(code as 'LEASE_LOST', 'told to fail');
      patches.push(`${id} ${status}`);
    }) as never,
    heartbeat: async () => ({ renewed: [], lost: [] }),
  };
  const ledger = new Ledger();
  const waits: number[] = [];
  const worker: SimulatedWorker = {
    name: 'report-1',
    scheduler: 'report',
    client,
    ledger,
    leaseMs,
    waitMs: 0,
    perform: async () => 'completed',
    dies: () => false,
    onWaiting: () => {},
    onHandlerStarted: () => {},
    onPopServed: (ms) => waits.push(ms),
    signal: stopped.signal,
    ...overrides,
  };
  return { worker, patches, ledger, waits };
}

test('a worker reports running, then how the task ended, for every task of a unit', async () => {
  const { worker, patches, ledger } = setUp([[leased('a'), leased('b')]]);
  expect(await runSimulatedWorker(worker)).toBe('stopped');
  expect(patches).toEqual(['a running', 'a completed', 'b running', 'b completed']);
  expect(ledger.counts()).toMatchObject({ handedOut: 2, completed: 2 });
});

test('work that throws is a failed task', async () => {
  const { worker, patches } = setUp([[leased('a')]], { perform: () => Promise.reject(new Error('no such host')) });
  await runSimulatedWorker(worker);
  expect(patches).toEqual(['a running', 'a failed']);
});

test('a worker that dies says nothing of how its task ended', async () => {
  const { worker, patches, ledger } = setUp([[leased('a')], [leased('b')]], { dies: () => true });
  expect(await runSimulatedWorker(worker)).toBe('died');
  expect(patches).toEqual(['a running']);
  expect(ledger.counts()).toMatchObject({ handedOut: 1, completed: 0, failed: 0 });
});

test('a report that finds no supervisor is repeated until it is taken', async () => {
  const { worker, patches } = setUp([[leased('a')]], {}, ['SERVICE_UNAVAILABLE', 'ASK_TIMEOUT']);
  await runSimulatedWorker(worker);
  expect(patches).toEqual(['a running', 'a completed']);
});

test('a task whose lease is lost is dropped', async () => {
  const { worker, patches, ledger } = setUp([[leased('a')]], {}, ['LEASE_LOST']);
  await runSimulatedWorker(worker);
  expect(patches).toEqual([]);
  expect(ledger.confirmed()).toEqual(new Map());
});

test('only pops that brought a task for the first time measure how long a pop waits', async () => {
  const { worker, waits } = setUp([[leased('a')], [leased('b', 2)], []]);
  await runSimulatedWorker(worker);
  expect(waits).toHaveLength(1);
});
