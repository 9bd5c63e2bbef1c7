import { move, transferableSymbol, valueSymbol } from 'piscina';
import type { RankBatch, RankerModule, Ranks } from '../protocol/ranking.ts';
import { faultOf } from './batch.ts';

/**
 * The entry of a pool thread. Outcomes are data: a thrown error would lose its code on the way. Rankers are imported here and
 * not in the main thread, unless one declares with `inlineBelow` that it is quick.
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
