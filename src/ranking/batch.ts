import { move, transferableSymbol, valueSymbol } from 'piscina';
import type { RankBatch, RankerModule, Ranks } from '../protocol/ranking.ts';
import type { RankedTask } from '../queue/push/rank.ts';

/** What is true for all tasks of a batch. */
export interface RankContext {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly gracePeriodSeconds: number;
}

/**
 * Tasks as columns, in the seconds of the protocol, over shared memory: handing them to a thread copies nothing, and
 * neither does splitting them (a million tasks are 29 MB of columns).
 */
export function batchOf(tasks: readonly RankedTask[], { now, gracePeriodSeconds }: RankContext): RankBatch {
  const count = tasks.length;
  const createdAt = doubles(count);
  const lastRunAt = doubles(count);
  const occurredAt = doubles(count);
  const manual = new Uint8Array(new SharedArrayBuffer(count));
  const organisation = new Uint32Array(new SharedArrayBuffer(count * Uint32Array.BYTES_PER_ELEMENT));
  const places = new Map<string, number>();
  for (const [at, task] of tasks.entries()) {
    createdAt[at] = (task.createdAt ?? now) / 1_000;
    lastRunAt[at] = (task.lastRunAt ?? Number.NaN) / 1_000;
    occurredAt[at] = (task.occurredAt ?? Number.NaN) / 1_000;
    manual[at] = task.manual ? 1 : 0;
    const place = places.get(task.organisation) ?? places.size;
    places.set(task.organisation, place);
    organisation[at] = place;
  }
  return {
    now: now / 1_000,
    gracePeriod: gracePeriodSeconds,
    count,
    createdAt,
    lastRunAt,
    occurredAt,
    manual,
    organisation,
    organisations: [...places.keys()],
  };
}

function doubles(count: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT));
}

/** Parts of nearly equal length, in order, as views on the same columns. */
export function splitBatch(batch: RankBatch, parts: number): RankBatch[] {
  return Array.from({ length: parts }, (_, part) => {
    const from = Math.floor((batch.count * part) / parts);
    const to = Math.floor((batch.count * (part + 1)) / parts);
    return {
      ...batch,
      count: to - from,
      createdAt: batch.createdAt.subarray(from, to),
      lastRunAt: batch.lastRunAt.subarray(from, to),
      occurredAt: batch.occurredAt.subarray(from, to),
      manual: batch.manual.subarray(from, to),
      organisation: batch.organisation.subarray(from, to),
    };
  });
}

export function join(parts: readonly Ranks[]): Ranks {
  if (parts.length === 1) return parts[0]!;
  const ranks = new Float64Array(parts.reduce((sum, part) => sum + part.ranks.length, 0));
  let at = 0;
  for (const part of parts) {
    ranks.set(part.ranks, at);
    at += part.ranks.length;
  }
  return { ranks };
}

/** What is wrong with a ranker's answer, or null. Rankers are foreign code: what they answer is checked before SQL gets it. */
export function faultOf(batch: RankBatch, answer: unknown): string | null {
  const { ranks } = (answer ?? {}) as Partial<Ranks>;
  if (!(ranks instanceof Float64Array)) return 'ranks: expected a Float64Array';
  if (ranks.length !== batch.count) return `ranks: expected ${batch.count}, got ${ranks.length}`;
  const wrong = ranks.findIndex((rank) => !Number.isSafeInteger(rank));
  return wrong >= 0 ? `ranks[${wrong}]: expected a whole number within ±2^53, got ${ranks[wrong]}` : null;
}

/**
 * How a batch went; this file is the entry of a pool thread (`rank`, `describe`). Outcomes are data: a thrown error
 * would lose its code on the way. Rankers are imported there and not in the main thread, unless one declares with
 * `inlineBelow` that it is quick.
 */
export type RankOutcome =
  | { readonly ok: true; readonly ranks: Ranks }
  | { readonly ok: false; readonly reason: 'threw' | 'nonsense'; readonly message: string };

/** What a ranker's file says of itself; src/protocol/ranking.ts. */
export interface RankerTraits {
  readonly fair: boolean;
  readonly explicitPriorities: 'manual-only' | null;
  /** 0 where the ranker does not vouch for itself. */
  readonly inlineBelow: number;
}

export type DescribeOutcome =
  | { readonly ok: true; readonly traits: RankerTraits }
  | { readonly ok: false; readonly message: string };

/** Ranks where it runs: in a pool thread, or inline. */
export function rankWith(module: RankerModule, batch: RankBatch): RankOutcome {
  try {
    const ranks = module.default(batch);
    const fault = faultOf(batch, ranks);
    return fault === null ? { ok: true, ranks } : { ok: false, reason: 'nonsense', message: fault };
  } catch (error) {
    return { ok: false, reason: 'threw', message: messageOf(error) };
  }
}

export async function rank(task: { url: string; batch: RankBatch }): Promise<unknown> {
  const module = (await import(task.url)) as RankerModule;
  const outcome = rankWith(module, task.batch);
  if (!outcome.ok) return outcome;
  const buffers = [outcome.ranks.ranks.buffer];
  // Moved, not copied; a ranker that answers with a column of its batch has given us shared memory, which cannot be.
  return move({
    get [transferableSymbol]() {
      return buffers.filter((buffer) => buffer instanceof ArrayBuffer);
    },
    get [valueSymbol]() {
      return outcome;
    },
  });
}

export async function describe(task: { url: string }): Promise<DescribeOutcome> {
  try {
    const module = (await import(task.url)) as Partial<RankerModule>;
    if (typeof module.default !== 'function') return { ok: false, message: 'has no default export rank(batch)' };
    const { fair, explicitPriorities, inlineBelow } = module;
    return {
      ok: true,
      traits: {
        fair: fair === true,
        explicitPriorities: explicitPriorities ?? null,
        inlineBelow: Number.isSafeInteger(inlineBelow) ? inlineBelow! : 0,
      },
    };
  } catch (error) {
    return { ok: false, message: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
