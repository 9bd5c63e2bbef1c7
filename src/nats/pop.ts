import type { z } from 'zod';
import type { Log } from '../protocol/scheduler.ts';
import { distinctFilters, filterKey } from '../queue/filter/filter.ts';
import type { ClaimedTask, TaskQueue } from '../queue/queue.ts';
import { requestBudget } from './budgets.ts';
import { FiltersInUse } from '../admission.ts';
import { bytesOf, errorItem, errorOf, leasedText, resultsText, settledText } from './replies.ts';
import { popBody } from './requests.ts';
import { settleSet } from './settle.ts';
import { check } from '../tasks/limits.ts';

/**
 * Pops. A reply must fit into the server's max_payload, and how large tasks are is only known once they are claimed. So
 * two things together: no claim is made for more units than the largest unit seen of that scheduler would let fit, and
 * tasks that do not fit after all go back to the queue with their leases. A requester sees fewer results than its limit and pops
 * again.
 */
interface PopDesk {
  /** @returns the reply as JSON text. `signal` ends a wait: the answer is then empty, and nothing is claimed. */
  pop(scheduler: string, asked: AskedPop): Promise<string>;
}

type PopRequest = z.output<typeof popBody>;

interface AskedPop {
  readonly body: unknown;
  /** The client to which its filters and leases are counted. */
  readonly client: string;
  readonly signal: AbortSignal;
}

/** The assumed size of a unit before one was seen: the largest tasks of KAT (a normalizer's with arguments) are 2–4 kB. */
const presumedUnitBytes = 4_096;
/** `{"results":[` and `]}`, and the headers that a server counts into the payload. */
const envelopeBytes = 1_024;
/** Of an answer, kept for what became of each patch: its id and status, or an error's code; and for the whole text of some errors. */
const settledBytes = { each: 100, all: 4_096 };
/** Units of the next claim after tasks that fit into no answer: more may follow, and each is written as JSON to know its size. */
const unitsAfterUnfit = 4;
/** How long one pop skips tasks that fit into no answer; then it is answered, and the next pop goes on. */
const passOverMs = 1_000;

export function createPopDesk(options: {
  queue: TaskQueue;
  leaseMs: number;
  longestLeaseMs: number;
  /** Distinct filters of one client's pops. */
  mostFilters: number;
  maxPayload: () => number;
  log: Log;
}): PopDesk {
  const { queue, log } = options;
  const filtersInUse = new FiltersInUse(
    { most: options.mostFilters, all: distinctFilters },
    { code: 'TOO_MANY_REQUESTS', bound: 'NATS_CLIENT_FILTERS' },
  );
  const largestUnit = new Map<string, number>();
  /** Of schedulers whose tasks did not fit a moment ago: units of the next claim, twice as many each time all fit. */
  const careful = new Map<string, number>();

  return {
    async pop(scheduler, { body, client, signal }) {
      const request = check(popBody, body);
      const leave = request.filters == null ? null : filtersInUse.enter(client, filterKey(request.filters));
      return (request.patches === undefined ? alone : settling)(scheduler, request, client, signal).finally(() =>
        leave?.(),
      );
    },
  };

  async function alone(scheduler: string, request: PopRequest, client: string, signal: AbortSignal): Promise<string> {
    return resultsText(await take(scheduler, request, client, signal, 0));
  }

  /**
   * A worker's next pop brings what it has to report: one request instead of two. The patches are settled beside the claim, and are
   * answered whether or not that finds a task. It does not wait for a task: the worker waits for what became of its patches.
   */
  async function settling(
    scheduler: string,
    { patches = [], ...request }: PopRequest,
    client: string,
    signal: AbortSignal,
  ): Promise<string> {
    const kept = Math.min(settledBytes.all + settledBytes.each * patches.length, options.maxPayload() / 2);
    const [texts, settled] = await Promise.all([
      take(scheduler, { ...request, wait_ms: 0 }, client, signal, kept),
      // What was claimed meanwhile must reach the worker: where the set fails, each of its patches does.
      settleSet(queue, patches).catch((error: unknown) => patches.map(() => errorItem(errorOf(error)))),
    ]);
    return settledText(texts, settled, kept);
  }

  async function take(
    scheduler: string,
    request: PopRequest,
    holder: string,
    signal: AbortSignal,
    kept: number,
  ): Promise<readonly string[]> {
    const began = performance.now();
    const largest = options.maxPayload() - envelopeBytes;
    const room = largest - kept;
    for (;;) {
      const unitBytes = largestUnit.get(scheduler) ?? presumedUnitBytes;
      const units = Math.min(request.limit, Math.floor(room / unitBytes), careful.get(scheduler) ?? request.limit);
      const claimed = await queue
        .pop(scheduler, {
          limit: Math.max(1, units),
          filters: request.filters ?? null,
          waitMs: Math.max(0, Math.round(request.wait_ms - (performance.now() - began))),
          leaseMs: Math.min(request.lease_ms ?? options.leaseMs, options.longestLeaseMs),
          via: 'nats',
          worker: request.worker ?? null,
          holder,
          signal,
        })
        .catch((error: unknown) => {
          if (signal.aborted) return [];
          throw error;
        });
      const packed = pack(claimed, room, largest);
      learn(scheduler, packed, unitBytes);
      // Not awaited: the database may hang by now, and the tasks that fit are claimed and must reach their worker.
      if (packed.left.length > 0) void giveBack(scheduler, packed.left);
      if (packed.unfit.length > 0) void fail(scheduler, packed.unfit);
      const passesOn = packed.texts.length === 0 && packed.unfit.length > 0 && !signal.aborted;
      if (!passesOn || performance.now() - began > passOverMs) return packed.texts;
    }
  }

  function learn(scheduler: string, packed: Packed, unitBytes: number): void {
    // Forgets a rare giant within some hundred pops.
    if (packed.largestUnit > 0) {
      largestUnit.set(scheduler, Math.max(packed.largestUnit, Math.floor(unitBytes * 0.99), 1));
    }
    const known = careful.get(scheduler);
    if (packed.unfit.length > 0) careful.set(scheduler, unitsAfterUnfit);
    else if (known !== undefined && known >= requestBudget.set) careful.delete(scheduler);
    else if (known !== undefined && packed.texts.length > 0) careful.set(scheduler, known * 2);
  }

  /** Tasks that cannot go back now (the database is away) come back when their leases expire. */
  async function giveBack(scheduler: string, left: readonly ClaimedTask[]): Promise<void> {
    log.info({ scheduler, tasks: left.length }, 'tasks given back: reply would exceed max_payload');
    await queue.giveBack(left);
  }

  /** A task that alone exceeds max_payload would stand at the head of the queue for ever, and block it. */
  async function fail(scheduler: string, unfit: readonly ClaimedTask[]): Promise<void> {
    log.error({ scheduler, ids: unfit.map((task) => task.id) }, 'task failed: larger than max_payload of NATS');
    const patches = unfit.map(
      ({ id, leaseId }) => ({ id, leaseId, via: 'nats', status: 'failed', reason: 'larger-than-max-payload' }) as const,
    );
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
 * organisations) is handed out in part rather than never. A task of up to `largest` bytes fits into another answer.
 */
function pack(claimed: readonly ClaimedTask[], room: number, largest: number): Packed {
  const packed = { texts: [] as string[], left: [] as ClaimedTask[], unfit: [] as ClaimedTask[], largestUnit: 0 };
  let used = 0;
  let full = false;
  for (const [place, unit] of units(claimed).entries()) {
    const sized = unit.map((task) => ({ task, text: leasedText(task) })).map(withBytes);
    const fitting = sized.filter((member) => member.bytes <= largest);
    packed.unfit.push(...sized.filter((member) => member.bytes > largest).map((member) => member.task));
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
