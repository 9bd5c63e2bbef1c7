import { currentTrace } from '../../mailbox/trace.ts';
import { query, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { Revocation, RevokedBoefjes, SupervisorRequests } from '../../protocol/requests.ts';
import type { RevocationReason } from '../../tasks/refusal.ts';
import { emit, type TaskRef } from '../../telemetry/events.ts';

type Revoked = SupervisorRequests['revoke-tasks']['reply'];

/** Tasks or schedules of one statement: no claim and no push waits long behind it. */
const perStatement = 1_000;
/** Hashes that one statement looks for: index look-ups that lock nothing. */
const perLook = 10_000;
/** Tasks of boefjes that one request cancels, in some seconds: well within the minute that an actor waits for an answer. */
const perRequest = 20_000;

/**
 * Ends tasks whose permission was withdrawn: cancels those that are queued, emits an event for those that are handed out and have
 * not begun, and leaves running ones alone. Looks before it cancels, since usually there are none.
 */
export async function revokeTasks(sql: Sql, scheduler: string, revocations: readonly Revocation[]): Promise<Revoked> {
  const revoking = new Revoking(sql, scheduler);
  const hashes = new Map(revocations.flatMap((it) => ('hash' in it ? [[it.hash, it.reason] as const] : [])));
  for (const [reason, those] of Map.groupBy(hashes.keys(), (hash) => hashes.get(hash)!)) {
    await revoking.hashes(those, reason);
  }
  let more = false;
  for (const boefjes of revocations) if ('enabled' in boefjes) more = (await revoking.boefjes(boefjes)) || more;
  return { cancelled: revoking.cancelled, told: revoking.told, more };
}

class Revoking {
  cancelled = 0;
  told = 0;
  readonly #sql: Sql;
  readonly #scheduler: string;

  constructor(sql: Sql, scheduler: string) {
    this.#sql = sql;
    this.#scheduler = scheduler;
  }

  async hashes(hashes: readonly string[], reason: RevocationReason): Promise<void> {
    for (const some of slices(hashes, perLook)) {
      const queued = await this.#run<{ hash: string }>('settle/revocable-of-hashes', [some]);
      await this.#cancel(
        queued.map(({ hash }) => hash),
        reason,
      );
      // Afterwards, so that tasks claimed meanwhile are among these.
      this.#emitRevoked(await this.#run<TaskRef>('settle/revoked-of-hashes', [some]), reason);
    }
  }

  /** @returns whether more tasks may be left than one request cancels. */
  async boefjes({ organisation, enabled, disabled }: RevokedBoefjes): Promise<boolean> {
    const off = new Set(disabled);
    const reasonOf = ({ plugin }: { plugin: string }) => (off.has(plugin) ? 'boefje-disabled' : 'boefje-gone');
    const values = [organisation, enabled];
    const queued = await this.#run<{ hash: string; plugin: string }>('settle/revocable-of-boefjes', [
      ...values,
      perRequest,
    ]);
    for (const [reason, those] of Map.groupBy(queued, reasonOf)) {
      await this.#cancel(
        those.map(({ hash }) => hash),
        reason,
      );
    }
    if (queued.length === perRequest) return true;
    const dispatched = await this.#run<TaskRef & { plugin: string }>('settle/revoked-of-boefjes', values);
    for (const [reason, those] of Map.groupBy(dispatched, reasonOf)) this.#emitRevoked(those, reason);
    return false;
  }

  async #cancel(hashes: readonly string[], reason: RevocationReason): Promise<void> {
    for (const some of slices(hashes, perStatement)) {
      const [row] = await this.#run<{ cancelled: string }>('settle/revoke-queued', [some, reason]);
      this.cancelled += emitCancelled(this.#scheduler, reason, row!.cancelled);
    }
  }

  #emitRevoked(dispatched: readonly TaskRef[], reason: RevocationReason): void {
    this.told += dispatched.length;
    for (const some of slices(dispatched, perStatement)) {
      const tasks = some.map(({ id, organisation }) => ({ id, organisation }));
      emit({ name: 'tasks.revoked', scheduler: this.#scheduler, reason, tasks });
    }
  }

  #run<Row extends object>(name: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return transact(() => query<Row>(this.#sql, statement(name), [this.#scheduler, ...values]));
  }
}

function slices<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size));
}

interface CancelledTask {
  readonly id: string;
  readonly organisation: string;
  readonly traceparent: string | null;
}

/**
 * The event of tasks that a statement cancelled: forget-oois.sql, revoke-queued.sql and purge-queue.sql answer them as a JSON
 * array.
 * @returns how many
 */
export function emitCancelled(scheduler: string, reason: string, json: string): number {
  const cancelled = JSON.parse(json) as readonly CancelledTask[];
  if (cancelled.length === 0) return 0;
  const by = currentTrace();
  emit({
    name: 'tasks.changed',
    scheduler,
    status: 'cancelled',
    reason,
    tasks: cancelled.map(({ id, organisation }) => ({ id, organisation })),
    traced: cancelled.flatMap(({ id, organisation, traceparent: trace }) =>
      trace === null ? [] : [{ id, organisation, trace, by }],
    ),
  });
  return cancelled.length;
}

export interface Purged {
  /** Queued tasks that were cancelled with reason `purged`. */
  readonly tasks: number;
  readonly schedules: number;
  readonly pauses: number;
}

/**
 * Removes a deleted organisation from queue, schedules and pauses. Tasks that a worker holds run to their end, and finished
 * tasks stay as history. Safe to repeat.
 */
export async function purgeOrganisation(
  sql: Sql,
  schedulers: readonly string[],
  organisation: string,
  by: string,
): Promise<Purged> {
  // Schedules first: one that falls due meanwhile would queue again.
  let schedules = 0;
  while (true) {
    const deleted = await transact(() => query(sql, statement('settle/purge-schedules'), [organisation, perStatement]));
    schedules += deleted.length;
    if (deleted.length === 0) break;
  }
  let tasks = 0;
  for (const scheduler of schedulers) {
    while (true) {
      const values = [scheduler, organisation, perStatement, by];
      const [row] = await transact(() => query<{ cancelled: string }>(sql, statement('settle/purge-queue'), values));
      const cancelled = emitCancelled(scheduler, 'purged', row!.cancelled);
      if (cancelled === 0) break;
      tasks += cancelled;
    }
  }
  const [rest] = await transact(() => query<{ pauses: number }>(sql, statement('settle/purge-rest'), [organisation]));
  return { tasks, schedules, pauses: rest!.pauses };
}
