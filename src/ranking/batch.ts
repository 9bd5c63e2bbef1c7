import type { RankBatch, Ranks } from '../protocol/ranking.ts';
import type { Fairness, RankedTask } from '../queue/push/rank.ts';

/** What is true for all tasks of a batch. */
export interface RankContext {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly gracePeriodSeconds: number;
  /** Null: no organisation has a tag, and each weighs 1. */
  readonly fairness: Fairness | null;
}

/**
 * Tasks as columns, in the seconds of the protocol, over shared memory: handing them to a thread copies nothing, and neither
 * does splitting them (a million tasks are 29 MB of columns).
 */
export function batchOf(tasks: readonly RankedTask[], { now, gracePeriodSeconds, fairness }: RankContext): RankBatch {
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
  const organisations = [...places.keys()];
  return {
    now: now / 1_000,
    gracePeriod: gracePeriodSeconds,
    virtualTime: fairness?.virtualTime ?? 0,
    count,
    createdAt,
    lastRunAt,
    occurredAt,
    manual,
    organisation,
    organisations,
    tags: Float64Array.from(organisations, (name) => fairness?.tags.get(name) ?? 0),
    weights: Float64Array.from(organisations, (name) => fairness?.weights.get(name) ?? 1),
  };
}

function doubles(count: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT));
}

/** Parts of nearly equal length, in order, as views on the same columns. For rankers that keep no state. */
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
  const { ranks, tags } = (answer ?? {}) as Partial<Ranks>;
  if (!(ranks instanceof Float64Array)) return 'ranks: expected a Float64Array';
  if (ranks.length !== batch.count) return `ranks: expected ${batch.count}, got ${ranks.length}`;
  const wrong = ranks.findIndex((rank) => !Number.isSafeInteger(rank));
  if (wrong >= 0) return `ranks[${wrong}]: expected a whole number within ±2^53, got ${ranks[wrong]}`;
  if (tags === undefined) return null;
  if (!(tags instanceof Float64Array)) return 'tags: expected a Float64Array';
  if (tags.length !== batch.organisations.length) {
    return `tags: expected one per organisation (${batch.organisations.length}), got ${tags.length}`;
  }
  const odd = tags.findIndex((tag) => !Number.isSafeInteger(tag));
  return odd >= 0 ? `tags[${odd}]: expected a whole number within ±2^53, got ${tags[odd]}` : null;
}
