import { randomUUID } from 'node:crypto';
import { RotaError } from '../../src/errors.ts';
import { failureOf } from '../../src/mailbox/failure.ts';
import type { ClaimedTask, PopRequest, TaskPatch, TaskQueue } from '../../src/queue/queue.ts';
import type { NewTask } from '../../src/protocol/requests.ts';
import { isFinished, type Task, type TaskData } from '../../src/tasks/task.ts';

type Row = { -readonly [K in keyof Task]: Task[K] } & {
  lease: string | null;
  attempts: number;
  settledBy: string | null;
};

/**
 * The TaskQueue interface in a few lines, so that tests of the wire see the wire alone: no filters, no expiry, one task a
 * unit unless its data has a `deduplication_key`. The real queue's tests are test/integration/queue*.test.ts.
 */
export class MemoryQueue implements TaskQueue {
  readonly rows = new Map<string, Row>();
  readonly pops: PopRequest[] = [];
  readonly expired = new Set<string>();
  givenBack = 0;
  private waiting: (() => void)[] = [];

  async push(scheduler: string, tasks: readonly NewTask[]) {
    const outcomes = tasks.map((task) => {
      const hash = JSON.stringify({ ...task.data, id: null });
      const twin = [...this.rows.values()].some((row) => row.hash === hash && row.status === 'queued');
      if (twin) return { outcome: 'refused', reason: 'already-queued' } as const;
      const id = task.id ?? randomUUID();
      const now = new Date().toISOString();
      const row: Row = {
        id,
        scheduler_id: scheduler,
        schedule_id: null,
        organisation: task.organisation,
        priority: task.priority ?? 100,
        status: 'queued',
        type: scheduler,
        hash,
        data: task.data,
        created_at: now,
        modified_at: now,
        lease: null,
        attempts: 0,
        settledBy: null,
      };
      this.rows.set(id, row);
      return { outcome: 'queued', id, scheduleId: null, task: text(row) } as const;
    });
    this.wake();
    return outcomes;
  }

  async pop(scheduler: string, request: PopRequest): Promise<ClaimedTask[]> {
    this.pops.push(request);
    const deadline = Date.now() + request.waitMs;
    for (;;) {
      if (request.signal?.aborted) return [];
      const claimed = this.claim(scheduler, request);
      const left = deadline - Date.now();
      if (claimed.length > 0 || left <= 0) return claimed;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.waiting.push(() => (clearTimeout(timer), resolve()));
        request.signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
      });
    }
  }

  async get(id: string) {
    const row = this.rows.get(id);
    return row ? text(row) : null;
  }

  async getHeld({ id, leaseId }: { id: string; leaseId: string }) {
    const row = this.rows.get(id);
    if (row && leaseId !== row.lease && leaseId !== row.settledBy)
      throw new RotaError('LEASE_LOST', `lease lost: ${id}`);
    return row ? text(row) : null;
  }

  async patch(patches: readonly TaskPatch[]) {
    const outcomes = patches.map((patch) => {
      const row = this.rows.get(patch.id);
      if (!row) return fail(new RotaError('NOT_FOUND', `no task ${patch.id}`));
      const repeated = patch.leaseId !== null && patch.leaseId === row.settledBy && patch.status === row.status;
      if (repeated) return { ok: true, task: text(row) } as const;
      if (patch.leaseId !== null && patch.leaseId !== row.lease) return fail(new RotaError('LEASE_LOST', 'lease lost'));
      if (isFinished(row.status)) return fail(new RotaError('CONFLICT', `task is ${row.status}`));
      row.status = patch.status ?? row.status;
      if (row.status === 'queued' || isFinished(row.status)) {
        Object.assign(row, { settledBy: row.lease, lease: null });
      }
      return { ok: true, task: text(row) } as const;
    });
    this.wake();
    return outcomes;
  }

  async heartbeat(leases: readonly { id: string; leaseId: string }[]) {
    const held = (lease: { id: string; leaseId: string }) =>
      this.rows.get(lease.id)?.lease === lease.leaseId && !this.expired.has(lease.id);
    return {
      renewed: leases.filter(held).map((lease) => lease.id),
      lost: leases.filter((lease) => !held(lease)).map((lease) => lease.id),
    };
  }

  async giveBack(claimed: readonly { id: string; leaseId: string }[]) {
    this.givenBack += claimed.length;
    for (const { id, leaseId } of claimed) {
      const row = this.rows.get(id);
      if (row?.lease === leaseId) Object.assign(row, { status: 'queued', lease: null, attempts: row.attempts - 1 });
    }
    this.wake();
  }

  async release() {
    return { outcome: 'unknown' } as const;
  }

  private claim(scheduler: string, request: PopRequest): ClaimedTask[] {
    const queued = [...this.rows.values()].filter((row) => row.scheduler_id === scheduler && row.status === 'queued');
    const units = Map.groupBy(queued, (row) => keyOf(row.data) ?? row.id);
    return [...units.values()].slice(0, request.limit).flatMap((rows, unit) =>
      rows.map((row) => {
        Object.assign(row, { status: 'dispatched', lease: randomUUID(), attempts: row.attempts + 1 });
        const leaseUntil = new Date(Date.now() + request.leaseMs).toISOString();
        const { id, lease, attempts } = row;
        return { id, unit: unit + 1, task: text(row), leaseId: lease!, leaseUntil, attempts, trace: null };
      }),
    );
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

function keyOf(data: TaskData): string | null {
  return (data['deduplication_key'] as string | null | undefined) ?? null;
}

function fail(error: RotaError) {
  return { ok: false, failure: failureOf(error) } as const;
}

function text({ lease: _lease, attempts: _attempts, settledBy: _settledBy, ...task }: Row): string {
  return JSON.stringify(task);
}
