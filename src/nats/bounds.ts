import { InFlight } from '../in-flight.ts';

/**
 * Bounds by kind: a client that fills one must not have another's heartbeats refused, which would cost healthy workers
 * their leases, nor the operator's commands.
 */
const kinds = ['pop', 'heartbeat', 'ctl', 'other'] as const;
type Kind = (typeof kinds)[number];
const bounds: Readonly<Record<Kind, { readonly most: number; readonly mostBytes: number }>> = {
  // Above what the queue parks of three schedulers (`maxParked`): this bounds those that wait for a claim.
  pop: { most: 40_000, mostBytes: 16 * 1_024 * 1_024 },
  heartbeat: { most: 10_000, mostBytes: 16 * 1_024 * 1_024 },
  ctl: { most: 1_000, mostBytes: 4 * 1_024 * 1_024 },
  // Bodies of pushes and patches that wait for Postgres: parsed they are five times as large, 80 MB at most.
  other: { most: 10_000, mostBytes: 16 * 1_024 * 1_024 },
};

/** @returns the line of an endpoint's requests, by the endpoint's name */
export function createLines(): (endpoint: string) => InFlight {
  const lines = new Map(kinds.map((kind) => [kind, new InFlight(bounds[kind])]));
  return (endpoint) => lines.get(kindOf(endpoint))!;
}

function kindOf(name: string): Kind {
  if (name === 'pop') return 'pop';
  if (name === 'task-heartbeat') return 'heartbeat';
  return name.startsWith('ctl') ? 'ctl' : 'other';
}
