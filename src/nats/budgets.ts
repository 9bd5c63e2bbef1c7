import type { ServiceMsg } from 'nats';
import { InFlight } from '../admission.ts';
import { RotaError } from '../errors.ts';

/**
 * What one message, one client and all clients may cost the supervisor over NATS, and what enforces it. docs/workers.md,
 * "Budgets", has the same table; a test compares them.
 */

const kilobyte = 1_024;

/**
 * Of one request; of filters: queue/filter/filter.ts, of names: tasks/limits.ts. A request that exceeds one is refused with 422
 * and the field's name, before the rest of it is read.
 */
export const requestBudget = {
  /** Tasks, patches or leases of one request: more would hold the database's connection for too long. */
  set: 1_000,
  /** Characters of a worker's name. */
  worker: 200,
  /** Longer waits should be repeated polls: a requester that vanished is noticed only at the end of its wait. */
  waitMs: 60_000,
  leaseMs: 86_400_000,
} as const;

/**
 * Bytes of one request, checked before any of it is parsed: to parse and refuse bodies of 1 MB costs as much as to answer them.
 * A push may have all of max_payload, which NATS bounds.
 */
export const requestBytes = {
  /** Subjects and headers: Rota reads two headers, and a pop that waits keeps all of them. */
  headers: 4 * kilobyte,
  /** By endpoint. */
  body: {
    // A filter's 10 000 values (queue/filter/filter.ts), images of 70 characters.
    pop: 768 * kilobyte,
    'task-get': kilobyte,
    // 1 000 of them, 100 to 150 bytes each as JSON, more where it is indented.
    'task-heartbeat': 256 * kilobyte,
    'task-patch': 256 * kilobyte,
    ctl: 256 * kilobyte,
  },
} as const;

/** Of one error in JSON. */
export const errorBytes = 4_000;

/**
 * Requests in flight, by kind: a client that fills one kind must not cause refusals of heartbeats, which would cost healthy
 * workers their leases, nor of operators' commands. One client gets at most half of the bytes.
 */
export const kindBudgets = {
  // More than the queue parks of three schedulers (`maxParked`): this bounds the pops that wait for a claim.
  pop: { most: 40_000, mostBytes: 16 * 1_024 * 1_024 },
  heartbeat: { most: 10_000, mostBytes: 16 * 1_024 * 1_024 },
  ctl: { most: 1_000, mostBytes: 4 * 1_024 * 1_024 },
  // Bodies of pushes and patches that wait for Postgres: parsed they are five times as large, 80 MB at most.
  other: { most: 10_000, mostBytes: 16 * 1_024 * 1_024 },
} as const;

/**
 * Of one client (inbox.ts defines it), by NATS_CLIENT_POPS, _FILTERS and _REQUESTS. Generous: 2 000 workers that share one NATS
 * user share one budget, and each waits with one pop.
 */
export interface ClientBudgets {
  /** Pops in flight, parked ones too. */
  readonly pops: number;
  /**
   * Distinct filters of its pops: each makes a claim of its own whenever a task is queued. Filters that no other client waits with
   * may be at most a quarter of those left (`distinctFilters` of queue/filter/filter.ts), so that some are left for the next client.
   */
  readonly filters: number;
  /** Heartbeats in flight, and as many of `other`. One client may have half of the operators' commands. */
  readonly requests: number;
}

/** @returns the admission of an endpoint's kind, by the endpoint's name */
export function inFlightByKind(clients: ClientBudgets): (endpoint: string) => InFlight {
  const of = (kind: keyof typeof kindBudgets, most: number, what: string, variable?: string) => {
    const all = kindBudgets[kind];
    const refusal = { code: 'TOO_MANY_REQUESTS', what, ...(variable === undefined ? {} : { variable }) } as const;
    return new InFlight({ all, ofClient: { most, mostBytes: all.mostBytes / 2 }, refusal });
  };
  const kinds = {
    pop: of('pop', clients.pops, 'pops', 'NATS_CLIENT_POPS'),
    heartbeat: of('heartbeat', clients.requests, 'heartbeats', 'NATS_CLIENT_REQUESTS'),
    ctl: of('ctl', kindBudgets.ctl.most / 2, 'commands'),
    other: of('other', clients.requests, 'requests', 'NATS_CLIENT_REQUESTS'),
  };
  return (endpoint) => {
    if (endpoint === 'pop') return kinds.pop;
    if (endpoint === 'task-heartbeat') return kinds.heartbeat;
    return endpoint.startsWith('ctl') ? kinds.ctl : kinds.other;
  };
}

/**
 * Bytes of the whole message with its headers: all of them are kept until it is answered.
 *
 * @throws RotaError INVALID_REQUEST where it is larger than any request of its endpoint
 */
export function sizeWithinBudget(message: ServiceMsg, endpoint: string): number {
  const body = message.data.length;
  const bytes = sizeOf(message);
  if (bytes - body > requestBytes.headers) {
    throw new RotaError('INVALID_REQUEST', `headers: at most ${requestBytes.headers} bytes, with the subjects`);
  }
  const most = mostBodyOf(endpoint);
  if (body > most) throw new RotaError('INVALID_REQUEST', `body: at most ${most} bytes; this one has ${body}`);
  return bytes;
}

function mostBodyOf(endpoint: string): number {
  const name = endpoint.startsWith('ctl') ? 'ctl' : endpoint;
  return (requestBytes.body as Readonly<Record<string, number>>)[name] ?? Number.POSITIVE_INFINITY;
}

/** The library's message has `size`, which its types lack; the length of `headers` is known only after they are parsed. */
function sizeOf(message: ServiceMsg): number {
  return (message as unknown as { readonly msg: { size(): number } }).msg.size();
}
