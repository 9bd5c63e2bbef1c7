import type { Log } from '../protocol/scheduler.ts';
import type { ClaimedTask, TaskQueue } from '../queue/queue.ts';
import { bytesOf, leasedText, resultsText } from './replies.ts';
import { check, popBody } from './requests.ts';

/**
 * Pops. A reply must fit into the server's max_payload, and how large tasks are is only known once they are claimed. So
 * two things together: no claim is made for more units than the largest unit seen of that scheduler would let fit, and
 * whatever does not fit after all goes back to the queue with its lease. A requester sees fewer results than its limit
 * and pops again.
 */
export interface PopDesk {
  /** @returns the reply as JSON text. `signal` ends a wait: the answer is then empty, and nothing is claimed. */
  pop(scheduler: string, body: unknown, signal: AbortSignal): Promise<string>;
}

/** What a unit is taken for while none was seen: the largest of KAT's tasks (a normalizer's with arguments) are 2–4 kB. */
const presumedUnitBytes = 4_096;
/** `{"results":[` and `]}`, and the headers that a server counts into the payload. */
const envelopeBytes = 1_024;

export function createPopDesk(options: {
  queue: TaskQueue;
  leaseMs: number;
  longestLeaseMs: number;
  maxPayload: () => number;
  log: Log;
}): PopDesk {
  const { queue, log } = options;
  const largestUnit = new Map<string, number>();

  return {
    async pop(scheduler, body, signal) {
      const request = check(popBody, body);
      const room = options.maxPayload() - envelopeBytes;
      const unitBytes = largestUnit.get(scheduler) ?? presumedUnitBytes;
      const claimed = await queue
        .pop(scheduler, {
          limit: Math.max(1, Math.min(request.limit, Math.floor(room / unitBytes))),
          filters: request.filters ?? null,
          waitMs: request.wait_ms,
          leaseMs: Math.min(request.lease_ms ?? options.leaseMs, options.longestLeaseMs),
          via: 'nats',
          worker: request.worker ?? null,
          signal,
        })
        .catch((error: unknown) => {
          if (signal.aborted) return [];
          throw error;
        });
      const packed = pack(claimed, room);
      if (packed.largestUnit > 0) {
        // Forgets a rare giant within some hundred pops.
        largestUnit.set(scheduler, Math.max(packed.largestUnit, Math.floor(unitBytes * 0.99), 1));
      }
      // Not awaited: the database may hang by now, and what fits is claimed and must reach its worker.
      if (packed.left.length > 0) void giveBack(scheduler, packed.left);
      if (packed.unfit.length > 0) void fail(scheduler, packed.unfit);
      return resultsText(packed.texts);
    },
  };

  /** Those that cannot go back now (the database is away) come back when their leases expire. */
  async function giveBack(scheduler: string, left: readonly ClaimedTask[]): Promise<void> {
    log.info({ scheduler, tasks: left.length }, 'tasks given back: reply would exceed max_payload');
    await queue.giveBack(left);
  }

  /** A task that alone exceeds max_payload would stand at the head of the queue for ever, and block it. */
  async function fail(scheduler: string, unfit: readonly ClaimedTask[]): Promise<void> {
    log.error({ scheduler, ids: unfit.map((task) => task.id) }, 'task failed: larger than max_payload of NATS');
    const patches = unfit.map(({ id, leaseId }) => ({ id, leaseId, via: 'nats' as const, status: 'failed' as const }));
    await queue.patch(patches).catch((error: unknown) => log.warn({ err: error }, 'give-back failed'));
  }
}

interface Packed {
  readonly texts: readonly string[];
  readonly left: readonly ClaimedTask[];
  readonly unfit: readonly ClaimedTask[];
  readonly largestUnit: number;
}

/**
 * Whole units in order while they fit. A first unit that does not fit as a whole (a deduplicated group of hundreds of
 * organisations) is handed out in part rather than never.
 */
export function pack(claimed: readonly ClaimedTask[], room: number): Packed {
  const packed = { texts: [] as string[], left: [] as ClaimedTask[], unfit: [] as ClaimedTask[], largestUnit: 0 };
  let used = 0;
  let full = false;
  for (const [place, unit] of units(claimed).entries()) {
    const sized = unit.map((task) => ({ task, text: leasedText(task) })).map(withBytes);
    const fitting = sized.filter((member) => member.bytes <= room);
    packed.unfit.push(...sized.filter((member) => member.bytes > room).map((member) => member.task));
    const total = fitting.reduce((sum, member) => sum + member.bytes, 0);
    packed.largestUnit = Math.max(packed.largestUnit, total);
    full ||= used + total > room;
    for (const member of fitting) {
      if (!full || (place === 0 && used + member.bytes <= room)) {
        packed.texts.push(member.text);
        used += member.bytes;
      } else {
        packed.left.push(member.task);
      }
    }
  }
  return packed;
}

/** With the comma that parts it from the next. */
function withBytes<T extends { text: string }>(member: T): T & { bytes: number } {
  return { ...member, bytes: bytesOf(member.text) + 1 };
}

function units(claimed: readonly ClaimedTask[]): ClaimedTask[][] {
  const grouped = new Map<number, ClaimedTask[]>();
  for (const task of claimed) {
    const members = grouped.get(task.unit);
    if (members) members.push(task);
    else grouped.set(task.unit, [task]);
  }
  return [...grouped.values()];
}
