import type { PauseKey } from '../../queue/maintenance/pauses.ts';
import type { SetLimit } from '../../control/limit-bodies.ts';
import type { SchedulerSnapshot, Snapshot } from './snapshot.ts';

/** What an operator may change, as it stands. */
export interface Standing {
  readonly pauses: readonly PauseKey[];
  /** Pauses that end as the days begin. */
  readonly resumed: readonly PauseKey[];
  readonly limits: readonly SetLimit[];
  /** By scheduler and organisation: those that are not 1. */
  readonly weights: Snapshot['weights'];
  /** By scheduler: tasks that are worked on at once. */
  readonly workers: ReadonlyMap<string, number>;
}

/** As it stands in the database. */
export function standingOf(snapshot: Snapshot): Standing {
  const { pauses, limits, weights, schedulers } = snapshot;
  const workers = new Map(schedulers.map((scheduler) => [scheduler.name, workersSeen(snapshot, scheduler)]));
  return { pauses, resumed: [], limits, weights, workers };
}

/**
 * Tasks that were worked on at once: within the last hour where tasks wait, since then all workers are busy; else within the day. Those
 * that are worked on now at least.
 */
function workersSeen({ leases }: Snapshot, { name, queued, atOnce }: SchedulerSnapshot): number {
  const units = new Set<string>();
  for (const { scheduler, startedAt, group, claimedAt, hash } of leases)
    if (scheduler === name && startedAt !== null) units.add(group === null ? hash : `${group} ${claimedAt}`);
  const seen = queued.length > 0 && atOnce.lately > 0 ? atOnce.lately : atOnce.day;
  return Math.max(seen, units.size);
}
