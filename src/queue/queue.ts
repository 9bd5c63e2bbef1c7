import type { Failure } from '../mailbox/failure.ts';
import type { NewTask, PushOutcome } from '../protocol/requests.ts';
import type { TaskError, TaskStatus } from '../tasks/task.ts';
import type { Requester } from './batching.ts';
import type { FilterRequest } from './filter/filter.ts';

/** What a lease over NATS begins with at most: an answer that was lost is back within a minute. */
export const firstLeaseMs = 60_000;

/**
 * The queue, in queue words: what the edges (NATS, REST) and the supervisor use. Its semantics are
 * docs/queue-semantics.md. Tasks travel as JSON text from Postgres to the wire, never parsed on the way.
 */
export interface TaskQueue {
  /** Ranks, then commits tasks and schedules; one outcome per task, in order. */
  push(
    scheduler: string,
    tasks: readonly NewTask[],
    options?: PushAnswers & Requester,
  ): Promise<readonly PushOutcome[]>;

  /** Claims units, waiting up to `waitMs` for the first. Answers the claimed tasks; none is an empty answer. */
  pop(scheduler: string, request: PopRequest): Promise<readonly ClaimedTask[]>;

  /** A task as JSON text (all eleven keys, kat-contract §1); null where there is none. */
  get(id: string, requester?: Requester): Promise<string | null>;

  /**
   * The same for the holder of its lease over NATS, or the last holder that ended it.
   * @throws FailureError LEASE_LOST for any other lease
   */
  getHeld(lease: LeaseRef, requester?: Requester): Promise<string | null>;

  /** Changes status (and over REST other fields), one outcome per patch, in order; with the tasks where they are asked for. Coalesced. */
  patch(patches: readonly TaskPatch[], options?: PatchAnswers & Requester): Promise<readonly PatchOutcome[]>;

  /** From now on for `leaseMs`; null keeps the length that each has, or that its pop asked for. */
  heartbeat(leases: readonly LeaseRef[], leaseMs: number | null): Promise<{ renewed: string[]; lost: string[] }>;

  /** A runner gives a task back that it claimed over REST (lessons 0.3); docs/queue-semantics.md. */
  release(scheduler: string, id: string, doer?: string): Promise<ReleaseOutcome>;

  /**
   * For tasks that reached no worker: they go back to the queue, and the claim counts as no attempt. Never rejects: a task
   * that cannot go back now does so when its lease ends.
   */
  giveBack(claimed: readonly LeaseRef[]): Promise<void>;
}

export interface PatchAnswers {
  /** With the tasks as they are now. */
  readonly answersTasks?: boolean;
}

export interface PushAnswers {
  /** With its task, each that is queued. */
  readonly answersTasks?: boolean;
  /** Characters: where all tasks together have more, none is answered. */
  readonly room?: number;
  /** A push that was made before, with the same id and content, is answered with the task that it made, not refused. */
  readonly answersRepeats?: boolean;
}

export interface PopRequest {
  /** Units: a deduplicated group counts once. */
  readonly limit: number;
  readonly filters: FilterRequest | null;
  readonly waitMs: number;
  /** Over NATS, from when its holder first speaks; docs/queue-semantics.md, "The first lease". */
  readonly leaseMs: number;
  readonly via: 'nats' | 'rest';
  readonly worker: string | null;
  /** The client whose leases these are (held-leases.ts): its NATS inbox, its REST token or address. Absent: not counted. */
  readonly holder?: string;
  /** Aborted when the requester is gone: an aborted waiter never claims. */
  readonly signal?: AbortSignal;
}

export interface ClaimedTask {
  readonly id: string;
  /** 1, 2, … within one answer: tasks of one unit share it. */
  readonly unit: number;
  /** The task as JSON text, eleven keys. */
  readonly task: string;
  readonly leaseId: string;
  readonly leaseUntil: string;
  readonly attempts: number;
  /** Traceparent for the worker; null where tracing was off at the push. */
  readonly trace: string | null;
}

export interface LeaseRef {
  readonly id: string;
  readonly leaseId: string;
}

export interface TaskPatch {
  readonly id: string;
  readonly via: 'nats' | 'rest';
  readonly leaseId: string | null;
  readonly status?: TaskStatus;
  readonly priority?: number;
  readonly organisation?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** Set by an edge, for people; never by a caller. */
  readonly reason?: 'larger-than-max-payload';
  /** Why the attempt did not complete, as `taskError` (src/tasks/limits.ts) makes it; with failed, queued or cancelled. */
  readonly error?: TaskError;
  /** Who cancels, retries or releases it, and why: of an operator or a token, or `rota`. A worker's report has none. */
  readonly doer?: string;
  readonly why?: string;
  /** Traceparent of the request that asks for it. */
  readonly by?: string;
}

/** Done, with the task as JSON text after the change where that was asked for; or why not (NOT_FOUND, CONFLICT, LEASE_LOST, …). */
export type PatchOutcome =
  | { readonly ok: true; readonly task?: string }
  | { readonly ok: false; readonly failure: Failure };

export type ReleaseOutcome =
  /** Back on the queue, or already there; `task` as JSON text. */
  | { readonly outcome: 'released'; readonly task: string }
  /** Finished, or claimed over NATS: 409. */
  | { readonly outcome: 'conflict' }
  | { readonly outcome: 'unknown' };

/**
 * How much of the queue's work goes into one statement, and how many statements run at once. `make bench ARGS="--tune"`
 * finds them for a machine: docs/tuning.md.
 */
export interface QueueBounds {
  /** Claims of one scheduler. More than four rescan each other's locked rows. */
  readonly claimsInFlight: number;
  /** Units of one claim: its rows travel through one statement. */
  readonly claimUnits: number;
  /** Sets of pushes of one scheduler, and sets of patches. */
  readonly writesInFlight: number;
  /** Tasks of one push statement. */
  readonly pushTasks: number;
}

/** Chosen on two cores shared with Postgres and the clients; docs/tuning.md has what others bought. */
export const defaultQueueBounds: QueueBounds = {
  claimsInFlight: 4,
  claimUnits: 1_000,
  writesInFlight: 4,
  pushTasks: 1_000,
};

/**
 * Bytes of a claim's tasks or of a page's rows, which only a row that is alone exceeds. A page of 290 tasks of 1.9 MB took 1.8 GB of
 * this process, since the text exists three times on its way. A thousand tasks of KAT are 2 MB.
 */
export const roomBytes = 8 * 1_024 * 1_024;

/**
 * How supervisors notify each other of tasks to claim. Best effort: parked pops look every few seconds, so a lost wake is made
 * good.
 */
export interface Wake {
  /** `count` tasks were queued, and no pop here waits for them. */
  publish(scheduler: string, count: number): void;
  /** What the others published, never our own. @returns what ends it. */
  subscribe(handler: (scheduler: string, count: number) => void): () => void;
}

/** One supervisor on its own. */
export const noWake: Wake = { publish: () => {}, subscribe: () => () => {} };
