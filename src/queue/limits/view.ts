import { type Executor, query, queryByKey, type Sql, statement, transact, transaction } from '../../postgres/pool.ts';
import { type Hours, windowAt } from './hours.ts';
import type { KeyedLimit } from './limit.ts';

/** A limit or a window as it is set. */
export interface Limit extends KeyedLimit {
  readonly kind: 'limit' | 'window';
  /** Milliseconds between two claims; null: no rate. */
  readonly spacingMs: number | null;
  readonly burst: number;
  readonly concurrency: number | null;
  readonly hours: Hours | null;
  readonly note: string | null;
  readonly setBy: string | null;
  readonly version: number;
  /** ISO. */
  readonly changedAt: string;
  /** What was queued before may be free yet. */
  readonly isApplying: boolean;
  /** Its keys are looked at by other numbers, in parts. */
  readonly isRevisited: boolean;
  /** It holds nothing any more; what it held is being let go. */
  readonly removed: boolean;
  /** Units, since it was first set. */
  readonly admitted: number;
  /** Seconds of those, from when they were made until they were admitted. */
  readonly waited: number;
  /** Tasks whose value could not be read. */
  readonly fallbacks: number;
}

export interface LimitsView {
  readonly limits: readonly Limit[];
  /** The database's time, in epoch milliseconds. */
  readonly now: number;
}

interface LimitRow {
  readonly name: string;
  readonly kind: 'limit' | 'window';
  readonly scheduler: string | null;
  readonly organisation: string | null;
  readonly plugin: string | null;
  readonly image: string | null;
  readonly ooi_type: string | null;
  readonly template: string;
  readonly spacing_ms: number | null;
  readonly burst: number;
  readonly concurrency: number | null;
  readonly exempt_manual: boolean;
  readonly hours: Hours | null;
  readonly note: string | null;
  readonly set_by: string | null;
  readonly version: number;
  readonly changed_at: string;
  readonly is_applying: boolean;
  readonly is_revisited: boolean;
  readonly removed: boolean;
  readonly admitted: number;
  readonly waited: number;
  readonly fallbacks: number;
  readonly now_ms: number;
}

/** A transaction that no other releaser or change works beside. */
export function changing<T>(sql: Sql, work: (locked: Executor) => Promise<T>): Promise<T> {
  return transact(() =>
    transaction(sql, async (locked) => {
      await query(locked, statement('limits/lock'), []);
      return work(locked);
    }),
  );
}

/** Of all limits, as rows are looked at by: a new one has a higher version. */
export function versionOf(limits: readonly Limit[]): number {
  return Math.max(0, ...limits.map(({ version }) => version));
}

export async function readLimits(sql: Executor, options: { readonly withinMs?: number } = {}): Promise<LimitsView> {
  const rows = await query<LimitRow>(sql, statement('limits/limits'), [], options);
  return { limits: rows.map(limitOf), now: rows[0]?.now_ms ?? 0 };
}

function limitOf(row: LimitRow): Limit {
  const { ooi_type: ooiType, spacing_ms: spacingMs, exempt_manual: exemptManual, set_by: setBy } = row;
  const { name, kind, scheduler, organisation, plugin, image, template, burst, concurrency, hours, note } = row;
  const {
    version,
    changed_at: changedAt,
    is_applying: isApplying,
    is_revisited: isRevisited,
    removed,
    admitted,
    waited,
    fallbacks,
  } = row;
  return {
    name,
    kind,
    scheduler,
    organisation,
    plugin,
    image,
    ooiType,
    template,
    spacingMs,
    burst,
    concurrency,
    exemptManual,
    hours,
    note,
    setBy,
    version,
    changedAt,
    isApplying,
    isRevisited,
    removed,
    admitted,
    waited,
    fallbacks,
  };
}

/** Windows that are closed at this moment: names, and when each opens (ISO; infinity: never). */
export interface Closed {
  readonly names: readonly string[];
  readonly opens: readonly string[];
  /** When the first of all windows opens or closes, in epoch milliseconds. */
  readonly next: number;
}

export function closedAt({ limits, now }: LimitsView): Closed {
  const windows = limits.flatMap(({ name, hours, removed }) =>
    hours === null || removed ? [] : [{ name, ...windowAt(hours, now) }],
  );
  const closed = windows.filter(({ open }) => !open);
  return {
    names: closed.map(({ name }) => name),
    opens: closed.map(({ until }) => (until === null ? 'infinity' : new Date(until).toISOString())),
    next: Math.min(...windows.map(({ until }) => until ?? Number.POSITIVE_INFINITY)),
  };
}

export interface LimitReading {
  readonly name: string;
  /** Tasks that it holds, counted to 10 000, and the age of the oldest of them. */
  readonly waiting: number;
  readonly oldestSeconds: number;
  readonly admitted: number;
  readonly waited: number;
}

const countedAtMost = 10_000;

/** What a limit or a window holds back. */
export interface HeldByLimit {
  /** Tasks, and their keys. */
  readonly waiting: number;
  readonly keys: number;
  /** Null where there is none. */
  readonly oldest_seconds: number | null;
}

/** Of each of these, in their order. */
export async function readHeld(sql: Sql, names: readonly string[], most: number): Promise<readonly HeldByLimit[]> {
  return names.length === 0 ? [] : queryByKey<HeldByLimit>(sql, statement('limits/held'), [names, most]);
}

/** What each limit and window holds. */
export async function readLimitsHeld(sql: Sql): Promise<readonly LimitReading[]> {
  const limits = (await transact(() => readLimits(sql))).limits.filter(({ removed }) => !removed);
  const names = limits.map(({ name }) => name);
  const held = await readHeld(sql, names, countedAtMost);
  return limits.map(({ name, admitted, waited }, at) => {
    const { waiting, oldest_seconds: oldest } = held[at]!;
    return { name, waiting, oldestSeconds: oldest ?? 0, admitted, waited };
  });
}
