/**
 * What one message, one client and all of them together may cost the supervisor over NATS. docs/workers.md, "Budgets", has
 * the same table; a test holds it.
 */

/** Of one request; of filters: queue/filter-budget.ts, of names: tasks/lengths.ts. What exceeds one is refused with 422 and the field's name, before the rest of it is looked at. */
export const requestBudget = {
  /** Tasks, patches or leases of one request: more would hold the database's connection for too long. */
  set: 1_000,
  /** Characters of a worker's name. */
  worker: 200,
  /** A poll that waits longer is better repeated: a requester that vanished is noticed only at the end of its wait. */
  waitMs: 60_000,
  leaseMs: 86_400_000,
} as const;

/** Of one error: what is wrong and how much of it, in texts of 200 characters each (excerpt.ts). */
export const errorBudget = { faults: 20, characters: 4_000 } as const;

/**
 * What is in flight, by kind: a client that fills one must not have another's heartbeats refused, which would cost healthy
 * workers their leases, nor the operator's commands. Half of the bytes are one client's at most.
 */
export const kindBudgets = {
  // Above what the queue parks of three schedulers (`maxParked`): this bounds those that wait for a claim.
  pop: { most: 40_000, mostBytes: 16 * 1_024 * 1_024 },
  heartbeat: { most: 10_000, mostBytes: 16 * 1_024 * 1_024 },
  ctl: { most: 1_000, mostBytes: 4 * 1_024 * 1_024 },
  // Bodies of pushes and patches that wait for Postgres: parsed they are five times as large, 80 MB at most.
  other: { most: 10_000, mostBytes: 16 * 1_024 * 1_024 },
} as const;

/**
 * Of one client (inbox.ts says who that is), by NATS_CLIENT_POPS, _FILTERS and _REQUESTS. Generous: a fleet of 2 000 workers
 * that shares one NATS user has one budget, and each waits with one pop.
 */
export interface ClientBudgets {
  /** Pops in flight, parked ones too. */
  readonly pops: number;
  /** Distinct filters of its pops: each is a claim of its own whenever something is queued. */
  readonly filters: number;
  /** Requests in flight of each other kind. */
  readonly requests: number;
}
