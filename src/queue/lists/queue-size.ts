import { statement } from '../../postgres/pool.ts';

/** Rows of each kind, held and not, that one look at a queue counts at most: some milliseconds. */
export const countedAtLook = 10_000;

export interface BoundedCounts {
  /** By the roll-up, a second old at most. */
  readonly total: number;
  /** Counted now, no further than `countedAtLook`. */
  readonly held: number;
  readonly waiting: number;
}

export interface QueueSize {
  /** Held ones included. */
  readonly queued: number;
  /** Off the claim's path: paused. */
  readonly held: number;
  /** There may be more that are held: no more were counted. */
  readonly heldIsLeast: boolean;
  /** Null where it cannot be told how many of what is queued are held. */
  readonly waiting: number | null;
}

/** Where one kind is counted to its end, the other follows from the total. */
export function queueSizeOf({ total, held, waiting }: BoundedCounts, most = countedAtLook): QueueSize {
  const [manyHeld, manyWait] = [held >= most, waiting >= most];
  const queued = manyHeld || manyWait ? Math.max(total, held + waiting) : held + waiting;
  if (manyHeld && manyWait) return { queued, held, heldIsLeast: true, waiting: null };
  if (manyHeld) return { queued, held: queued - waiting, heldIsLeast: false, waiting };
  return { queued, held, heldIsLeast: false, waiting: queued - held };
}
/** Statements that have queue-sizes.sql in them, and of which rows they ask it. */
const countedBy = {
  'lists/queue-overview': { scheduler: 'wanted.scheduler', of: 'true', most: '$4' },
  'lists/scheduler-activity': { scheduler: 'wanted.scheduler', of: 'true', most: '$2' },
  'lists/queue-by-organisation': { scheduler: '$1', of: 'q.organisation = o.organisation', most: '$3' },
  'lists/queue-by-name': { scheduler: '$1', of: 'q.{column} = n.name', most: '$3' },
} as const;

export function queueSizeStatement(name: keyof typeof countedBy): string {
  const { scheduler, of, most } = countedBy[name];
  const sizes = statement('lists/queue-sizes')
    .replaceAll('{scheduler}', () => scheduler)
    .replaceAll('{of}', () => of)
    .replaceAll('{most}', () => most)
    .trimEnd();
  return statement(name).replace('{sizes}', () => sizes);
}
