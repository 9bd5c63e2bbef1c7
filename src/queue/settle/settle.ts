import { type ErrorCode, RotaError } from '../../errors.ts';
import { failureOf } from '../../mailbox/failure.ts';
import { type Executor, query, type Sql, statement, transact, transaction } from '../../postgres/pool.ts';
import { withoutSecrets } from '../../tasks/secrets.ts';
import type { TaskError, TaskStatus } from '../../tasks/task.ts';
import { emit, type EndedTask, type TaskRef, type TracedTask } from '../../telemetry/events.ts';
import { Coalescer, type Requester } from '../batching.ts';
import type { LeaseRef, PatchOutcome, TaskPatch } from '../queue.ts';

interface SettleOptions {
  readonly sql: Sql;
  /** The lease of a holder that names none. */
  readonly gracePeriodSeconds: number;
  /** Sets of changes. */
  readonly maxInFlight: number;
  readonly ranksOf: RanksOf;
  /** So many tasks went back to the queue of a scheduler. */
  onQueued(scheduler: string, count: number): void;
  /** Some tasks have another status now. */
  onChanged(): void;
}

/**
 * The ranks that tasks get as they are queued again, by id: what failed days ago, or ended its worker, takes turns with what waits, as
 * if it were pushed now. Where ranks are no virtual times there is none: the task's priority, or the rank that it had, stands.
 */
export type RanksOf = (
  transaction: Executor,
  ids: readonly string[],
  which: 'finished' | 'expired',
) => Promise<ReadonlyMap<string, number>>;

/** A patch, and what only the queue itself may say with one. */
export interface TaskChange extends Omit<TaskPatch, 'via' | 'reason'> {
  readonly reason?: string;
  /** Where a twin is queued: cancelled as superseded instead of refused. */
  readonly superseded?: boolean;
  /** The claim that it ends counts as no attempt: it reached no worker, or no worker began. */
  readonly unclaimed?: boolean;
  /** The holder of the claim that it ends never reported: docs/queue-semantics.md, "The first lease". */
  readonly unbegun?: boolean;
  /** The answer carries the task. */
  readonly answered?: boolean;
}

/** How one change went: settle.sql. `was` and `status` in Postgres' spelling. */
interface SettledTask {
  readonly n: number;
  readonly code: 'NOT_FOUND' | 'LEASE_LOST' | 'CONFLICT' | null;
  readonly scheduler: string;
  readonly organisation: string;
  readonly was: string;
  readonly status: string;
  readonly reason: string | null;
  /** Null where no answer carries it. */
  readonly task: string | null;
  readonly traceparent: string | null;
  /** Since it began, and its plug-in: of what ended. */
  readonly seconds: number | null;
  readonly plugin: string | null;
}

/** Changes that were made, and how each went; with those that followed, which come last. */
export interface Settled {
  readonly changes: readonly TaskChange[];
  readonly rows: readonly SettledTask[];
}

/** Changes of tasks, in sets; docs/queue-semantics.md, "Settle". */
export class Settle {
  readonly #options: SettleOptions;
  readonly #coalescer: Coalescer<TaskChange, PatchOutcome>;

  constructor(options: SettleOptions) {
    this.#options = options;
    this.#coalescer = new Coalescer<TaskChange, PatchOutcome>({
      maxInFlight: options.maxInFlight,
      maxBatch: 500,
      keyOf: (change) => change.id,
      run: (batch) => this.#commit(batch),
      outcomeOf: (_change, error) => ({ ok: false, failure: failureOf(error) }),
    });
  }

  /** One outcome per change, in order; changes of one task are made one after the other. */
  submit(changes: readonly TaskChange[], requester?: Requester): Promise<readonly PatchOutcome[]> {
    return this.#coalescer.submit(changes, requester);
  }

  /** A task whose twin was queued meanwhile gives way to it. */
  async giveBack(claimed: readonly LeaseRef[]): Promise<void> {
    const back = { status: 'queued', superseded: true, unclaimed: true } as const;
    await this.submit(claimed.map(({ id, leaseId }) => ({ id: id.toLowerCase(), leaseId, ...back })));
  }

  idle(): Promise<void> {
    return this.#coalescer.idle();
  }

  async #commit(batch: readonly TaskChange[]): Promise<readonly PatchOutcome[]> {
    if (!batch.every(isHeld)) return this.#outcomes(await this.#settle(batch)).slice(0, batch.length);
    const rows = await transact(() => settleHeld(this.#options.sql, batch));
    const done = this.#outcomes({ changes: batch, rows });
    const outcomes = new Map(rows.map(({ n }, at) => [n, done[at]!]));
    // The state of the others is not what their workers believe: settle.sql decides and says why. What is done stays done, even
    // if that fails.
    const left = [...batch.keys()].filter((n) => !outcomes.has(n));
    const others = left.map((n) => batch[n]!);
    if (others.length > 0) {
      const decided = await this.#settle(others).then(
        (settled) => this.#outcomes(settled),
        (error: unknown) => others.map((): PatchOutcome => ({ ok: false, failure: failureOf(error) })),
      );
      for (const [at, n] of left.entries()) outcomes.set(n, decided[at]!);
    }
    return [...batch.keys()].map((n) => outcomes.get(n)!);
  }

  #settle(batch: readonly TaskChange[]): Promise<Settled> {
    const { sql, gracePeriodSeconds, ranksOf } = this.#options;
    // Only a patch that names no lease queues what has ended.
    const again = batch
      .filter(({ status, leaseId, priority }) => status === 'queued' && leaseId === null && priority === undefined)
      .map(({ id }) => id);
    return transact(() =>
      transaction(sql, async (settling) => {
        // Flows are locked before tasks, as by a push.
        const ranks = await ranksOf(settling, again, 'finished');
        return settle(settling, batch, gracePeriodSeconds, ranks);
      }),
    );
  }

  /** Of each row, in their order. */
  #outcomes(settled: Settled): readonly PatchOutcome[] {
    this.report(settled);
    return settled.rows.map((row) =>
      row.code === null
        ? { ok: true, ...(row.task === null ? {} : { task: row.task }) }
        : { ok: false, failure: failureOf(new RotaError(row.code, sentence(row, settled.changes[row.n]!))) },
    );
  }

  /** The events of a set of changes, and wakes for what was queued. */
  report({ changes, rows }: Settled): void {
    const groups = new Map<string, { row: SettledTask; tasks: TaskRef[]; traced: TracedTask[]; ended: EndedTask[] }>();
    for (const row of rows) {
      if (row.code !== null || row.was === row.status) continue;
      const key = `${row.scheduler} ${row.status} ${row.reason}`;
      const group = groups.get(key) ?? { row, tasks: [], traced: [], ended: [] };
      const { id, by = '', error } = changes[row.n]!;
      const task = { id, organisation: row.organisation };
      const failed = row.status === 'FAILED';
      group.tasks.push(failed && error !== undefined ? { ...task, error: shortOf(error) } : task);
      if (failed || row.status === 'COMPLETED') {
        const { organisation, plugin, seconds } = row;
        group.ended.push({ organisation, plugin, seconds, code: failed ? (error?.code ?? '') : null });
      }
      if (row.traceparent !== null) group.traced.push({ ...task, trace: row.traceparent, by });
      groups.set(key, group);
    }
    if (groups.size > 0) this.#options.onChanged();
    for (const { row, tasks, traced, ended } of groups.values()) {
      const status = row.status.toLowerCase() as TaskStatus;
      emit({ name: 'tasks.changed', scheduler: row.scheduler, status, reason: row.reason, tasks, traced, ended });
      if (status === 'queued') this.#options.onQueued(row.scheduler, tasks.length);
    }
  }
}

/** For the events of a set. */
function shortOf({ code, message }: TaskError): NonNullable<TaskRef['error']> {
  return code === undefined ? { message } : { code, message };
}

const whileHeld: ReadonlySet<TaskStatus | undefined> = new Set<TaskStatus>(['running', 'completed', 'failed']);

/** A worker's report of its own task, and nothing else. */
function isHeld(change: TaskChange): boolean {
  const { leaseId, status, priority, organisation, data, reason, superseded, unclaimed, unbegun, doer } = change;
  const others = [priority, organisation, data, reason, superseded, unclaimed, unbegun, doer];
  return leaseId !== null && whileHeld.has(status) && others.every((value) => value === undefined);
}

async function settleHeld(sql: Executor, changes: readonly TaskChange[]): Promise<readonly SettledTask[]> {
  const rows = await query<Omit<SettledTask, 'code' | 'reason'>>(sql, statement('settle/settle-held'), [
    changes.map(({ id }) => id),
    changes.map(({ leaseId }) => leaseId),
    changes.map(({ status }) => status!.toUpperCase()),
    changes.some(({ answered }) => answered),
    changes.some(({ error }) => error !== undefined)
      ? changes.map(({ error }) => (error === undefined ? null : JSON.stringify(error)))
      : null,
  ]);
  return rows.map((row) => ({ ...row, code: null, reason: null }));
}

/**
 * A set of changes in the caller's transaction, each task once. A task that begins and was claimed over REST with others begins
 * with them. Those are looked up only then: only groups need the third round trip.
 */
export async function settle(
  transaction: Executor,
  changes: readonly TaskChange[],
  gracePeriodSeconds: number,
  ranks: ReadonlyMap<string, number>,
): Promise<Settled> {
  const { rows, units } = await apply(transaction, changes, gracePeriodSeconds, ranks);
  const begun = rows.filter(({ code, was, status }) => code === null && status === 'RUNNING' && was !== 'RUNNING');
  const leaders = begun.map(({ n }) => changes[n]!).filter(({ id }) => units.has(id));
  if (leaders.length === 0) return { changes, rows };
  const found = await query<{ id: string; leader: string }>(transaction, statement('settle/settle-followers'), [
    leaders.map(({ id }) => id),
    leaders.map(({ id }) => units.get(id)!),
  ]);
  const asked = new Map(leaders.map(({ id, by = '' }) => [id, by]));
  const followers = found.map(({ id, leader }): TaskChange => ({
    id,
    leaseId: null,
    status: 'running',
    by: asked.get(leader)!,
  }));
  if (followers.length === 0) return { changes, rows };
  const followed = await apply(transaction, followers, gracePeriodSeconds, unranked);
  return {
    changes: [...changes, ...followers],
    rows: [...rows, ...followed.rows.map((row) => ({ ...row, n: row.n + changes.length }))],
  };
}

const unranked: ReadonlyMap<string, number> = new Map();

interface AppliedChanges {
  readonly rows: readonly SettledTask[];
  /** By id of a task that becomes running: the claim over REST that it came with, where that was of a group. */
  readonly units: ReadonlyMap<string, string>;
}

/** A row of settle-lock-leaders.sql, or none of anything. */
interface Led {
  readonly id: string;
  readonly unit?: string | null;
}

/** The two statements of a set of changes. */
async function apply(
  transaction: Executor,
  changes: readonly TaskChange[],
  gracePeriodSeconds: number,
  ranks: ReadonlyMap<string, number>,
): Promise<AppliedChanges> {
  const ids = changes.map((change) => change.id);
  const items = changes.map(
    (
      { id, leaseId, status, priority, organisation, data, reason, superseded, unclaimed, unbegun, error, doer, why },
      n,
    ) => ({
      n,
      id,
      lease_id: leaseId,
      status: status?.toUpperCase(),
      priority,
      organisation,
      data: data === undefined ? undefined : withoutSecrets(data),
      reason,
      superseded,
      unclaimed,
      unbegun,
      rank: ranks.get(id),
      error,
      doer,
      why,
    }),
  );
  const begin = changes.filter(({ status }) => status === 'running').map(({ id }) => id);
  // Both are sent before the first is answered.
  const [locked, rows] = await Promise.all([
    begin.length === 0
      ? query<Led>(transaction, statement('settle/settle-lock'), [ids])
      : query<Led>(transaction, statement('settle/settle-lock-leaders'), [ids, begin]),
    query<SettledTask>(transaction, statement('settle/settle'), [
      JSON.stringify(items),
      gracePeriodSeconds,
      changes.some(({ answered }) => answered),
    ]),
  ]);
  return { rows, units: new Map(locked.flatMap(({ id, unit }) => (unit ? [[id, unit]] : []))) };
}

export function leaseLost(id: string, leaseId: string): string {
  return `the lease ${leaseId} on task ${id} is lost: drop the work`;
}

function sentence(row: SettledTask, change: TaskChange): string {
  const code: ErrorCode = row.code!;
  if (code === 'NOT_FOUND') return `there is no task ${change.id}`;
  if (code === 'LEASE_LOST') {
    return change.leaseId === null
      ? `task ${change.id} is claimed over NATS: name its lease, or cancel it`
      : leaseLost(change.id, change.leaseId);
  }
  const [was, status] = [row.was.toLowerCase(), row.status.toLowerCase()];
  return status === 'queued'
    ? `task ${change.id} cannot be queued: its hash is queued already`
    : `task ${change.id} is ${was}: ${status} may not follow, only queued`;
}
