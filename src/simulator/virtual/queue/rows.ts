import type { TaskData, TaskStatus } from '../../../tasks/task.ts';
import type { Heap } from '../heap.ts';

/** A lease as the table `leases` has it. */
export interface Lease {
  readonly id: string;
  readonly via: 'nats' | 'rest';
  readonly worker: string | null;
  /** That it was popped with; null where it was never claimed. */
  readonly rank: number | null;
  until: number;
  renewedAt: number;
  /** The length that its claim asked for, where that is longer than the first. */
  askedMs: number | null;
  begun: boolean;
}

/** A task, with what `queue` and `leases` have of it. */
export interface Row {
  readonly id: string;
  readonly scheduler: string;
  readonly type: string;
  /** Grows by one with each task: the order in which they were made. */
  readonly number: number;
  readonly organisation: string;
  readonly hash: string;
  readonly data: TaskData;
  readonly plugin: string | null;
  /** '' where it has none. */
  readonly image: string;
  readonly group: string | null;
  readonly manual: boolean;
  /** A person asked for it, and no actor decided. */
  readonly asked: boolean;
  readonly createdAt: number;
  readonly scheduleId: string | null;
  status: TaskStatus;
  modifiedAt: number;
  attempts: number;
  unbegun: number;
  rank: number;
  held: boolean;
  /** Null where a rank of its own counts for no flow. */
  flow: Flow | null;
  lease: Lease | null;
  settledBy: string | null;
  reason: string | null;
  /** The keys that it has to share with others; null where none, or it was not looked at. */
  limits: readonly string[] | null;
  /** The one of them that has no room for it. */
  parkedAt: string | null;
  /** Each time that it enters or leaves the pop order: what a heap says of an earlier time does not count. */
  turn: number;
}

export interface Place {
  readonly row: Row;
  readonly rank: number;
  readonly turn: number;
}

/** Queued tasks of one organisation and image, those that a person put first apart. */
export interface Flow {
  readonly organisation: string;
  readonly image: Image;
  readonly manual: boolean;
  /** How many may be popped. */
  ready: number;
  /** The greatest rank first; of those that may be popped. */
  readonly ranks: Heap<Place>;
  /** Of those that are held. */
  readonly held: Heap<Place>;
  /** Places of before are taken out of it when it has so many. */
  heldAtMost: number;
}

export interface Image {
  readonly name: string;
  /** How many tasks of it may be popped: those that a person put first, and others. */
  readonly ready: { manual: number; other: number };
}

/** The order of claims: negative where the first goes before the other. */
export function popOrder(a: Row, b: Row): number {
  return a.rank - b.rank || a.createdAt - b.createdAt || a.number - b.number;
}

/** Null where it runs on none. */
export function ooiOf(data: TaskData): string | null {
  return (data as { input_ooi?: string | null }).input_ooi ?? null;
}

/** For people: which task it is. */
export function about(row: Row): string {
  const ooi = ooiOf(row.data);
  return `${row.scheduler} #${row.number} (${row.plugin}${ooi === null ? '' : ` on ${ooi}`} in ${row.organisation})`;
}

export function inMinutes(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} minutes`;
}
