import { priorityRange } from '../../tasks/task.ts';
import { chance } from '../../time-and-chance.ts';
import type { Lease, Row } from '../virtual/queue/rows.ts';
import type { SimulatedQueue } from '../virtual/queue/simulated-queue.ts';
import type { Depths } from './depths.ts';
import type { LeasedTask, QueuedTask, Snapshot } from './snapshot.ts';
import type { Standing } from './standing.ts';
import type { MeasuredWorkers } from './workers.ts';

interface RestoreOptions {
  readonly snapshot: Snapshot;
  readonly standing: Standing;
  readonly queue: SimulatedQueue;
  readonly depths: Depths;
  readonly workers: MeasuredWorkers;
  readonly typeOf: (scheduler: string) => string;
}

/** Puts the queue in memory where the database's was. What a limit let go and no worker took is looked at again, in the same order. */
export function restore({ snapshot, standing, queue, depths, workers, typeOf }: RestoreOptions): void {
  const { schedulers, leases, virtualTimes, at } = snapshot;
  for (const { scheduler, image, manual, rank } of virtualTimes) queue.of(scheduler).fair.restore(image, manual, rank);
  for (const pause of [...standing.pauses, ...standing.resumed]) queue.pause(pause);
  let number = 0;
  const types = new Map(schedulers.map(({ name }) => [name, typeOf(name)]));
  // Places of limits are taken before any row asks for one.
  const units = new Map<string, { rows: Row[]; startedAt: number | null }>();
  for (const task of leases) {
    const type = types.get(task.scheduler);
    if (type === undefined) continue;
    const row = rowOf(task.scheduler, type, -(number += 1), task);
    queue.of(task.scheduler).restore(row);
    const key = task.group === null ? row.id : `${task.scheduler} ${task.group} ${task.claimedAt}`;
    const unit = units.get(key) ?? { rows: [], startedAt: task.startedAt };
    units.set(key, unit);
    unit.rows.push(row);
    unit.startedAt ??= task.startedAt;
  }
  for (const { name, queued } of schedulers) {
    const tasks = queue.of(name);
    const counts = new Map<string, number>();
    const type = types.get(name)!;
    for (const task of queued) {
      const held = queue.isHeld(name, task.organisation, task.plugin);
      tasks.restore(rowOf(name, type, (number += 1), task, held));
      counts.set(task.organisation, (counts.get(task.organisation) ?? 0) + 1);
    }
    depths.waits(name, counts);
    workers.wake(name);
  }
  for (const pause of standing.resumed) queue.resume(pause);
  for (const { rows, startedAt } of units.values())
    workers.resume(rows, startedAt === null ? null : Math.max(0, at - startedAt));
}

/** Most rows have no more data than this. */
const nothing: Row['data'] = Object.freeze({});

function rowOf(scheduler: string, type: string, number: number, task: QueuedTask | LeasedTask, held = false): Row {
  const { organisation, plugin, image, hash, ooi, group, madeAt } = task;
  const leased = 'claimedAt' in task ? task : null;
  const lease = leased === null ? null : leaseOf(leased);
  const rank = 'rank' in task ? task.rank : 0;
  return {
    id: lease?.id ?? hash,
    scheduler,
    type,
    number,
    organisation,
    hash,
    data: ooi === null ? nothing : { input_ooi: ooi },
    plugin,
    image: image ?? '',
    group,
    manual: leased?.manual ?? (rank === 1 || rank < priorityRange.least),
    asked: false,
    createdAt: madeAt,
    scheduleId: null,
    status: leased === null ? 'queued' : 'dispatched',
    modifiedAt: madeAt,
    attempts: leased === null ? 0 : 1,
    unbegun: 0,
    rank,
    held,
    flow: null,
    lease,
    settledBy: null,
    reason: null,
    limits: null,
    parkedAt: null,
    turn: 0,
  };
}

function leaseOf({ claimedAt }: LeasedTask): Lease {
  return {
    id: chance.uuid(),
    via: 'nats',
    worker: null,
    rank: 0,
    until: Infinity,
    renewedAt: claimedAt,
    askedMs: null,
    begun: true,
  };
}
