import { codeOf, RotaError } from '../../errors.ts';
import { emit } from '../../telemetry/events.ts';
import { filterKey, type FilterRequest } from '../filter/filter.ts';
import type { QueueBounds, ClaimedTask, PopRequest } from '../queue.ts';
import type { ClaimRow, ClaimStatement, Fitted, Want, Way } from './claim.ts';
import { type HeldLeases, holdsTooMany } from './held-leases.ts';
import { claimsInFlightOf, ClaimLane, type Line, unitsOf, type Waiter } from './claim-lane.ts';
import { time } from '../../time-and-chance.ts';

/** How long past its deadline a requester waits for its answer; our own client waits as long. */
const requesterWaitsMs = 10_000;

interface WaitersOptions {
  readonly scheduler: string;
  /** @throws RotaError INVALID_FILTER */
  statementOf(filters: FilterRequest | null): ClaimStatement;
  claim(wants: readonly Want[], statement: ClaimStatement): Promise<Fitted>;
  /** Claimed for a waiter that went away while the statement ran: back to the queue. */
  giveBack(rows: readonly ClaimRow[]): void;
  /** Parked pops of this scheduler at most. */
  readonly maxParked: number;
  readonly held: HeldLeases;
  readonly bounds: QueueBounds;
}

/**
 * The pops of one scheduler. Those that wait at the same moment share a claim, with no timer: the next batch gathers
 * while one is in flight. A pop that finds nothing parks until a wake, its deadline or its requester's end.
 */
export class Waiters {
  readonly #options: WaitersOptions;
  readonly #lanes: Readonly<Record<Way, ClaimLane>>;
  #parked = 0;
  #stopped = false;

  constructor(options: WaitersOptions) {
    this.#options = options;
    const { claimsInFlight, claimUnits } = options.bounds;
    const lane = (way: Way) =>
      new ClaimLane({
        way,
        most: claimsInFlightOf(way, claimsInFlight),
        claimUnits,
        start: (self) => this.#start(self),
      });
    this.#lanes = { open: lane('open'), indexed: lane('indexed'), search: lane('search') };
  }

  get parked(): number {
    return this.#parked;
  }

  pop(request: PopRequest): Promise<readonly ClaimedTask[]> {
    if (this.#stopped) throw new RotaError('DRAINING', 'this supervisor is draining: ask another one');
    if (request.limit <= 0 || request.signal?.aborted === true) return Promise.resolve([]);
    const line = this.#line(request.filters);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        request,
        deadline: time.monotonicMs() + request.waitMs,
        answer: resolve,
        refuse: reject,
        looked: false,
        state: 'waiting',
        unwatch: () => {},
      };
      line.waiters.push(waiter);
      this.#watch(waiter, line);
      this.#laneOf(line).inFlight.schedule();
    });
  }

  /**
   * So many tasks were queued: parked pops look again, oldest first, as many as the tasks suffice for. Only the database knows
   * which filters they match, so each line of identical filters is woken for the whole count.
   * @returns how many of them no pop here is sure to take
   */
  wake(count: number): number {
    let left = count;
    for (const line of this.#lines()) {
      line.wakes += 1;
      let units = count;
      for (const waiter of line.waiters) {
        if (units <= 0) break;
        if (waiter.state !== 'parked') continue;
        this.#enter(waiter, 'waiting');
        units -= waiter.request.limit;
      }
      if (line.key === '') left = Math.max(0, units);
    }
    for (const { inFlight } of Object.values(this.#lanes)) inFlight.schedule();
    return left;
  }

  /** Answers every pop that waits with nothing; resolves when the claims in flight are dealt out. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const line of this.#lines()) {
      for (const waiter of line.waiters.filter(({ state }) => state !== 'claiming')) this.#answer(line, waiter, []);
    }
    await Promise.all(Object.values(this.#lanes).map((lane) => lane.end()));
  }

  /** The line of all that ask with this filter. @throws RotaError INVALID_FILTER, FILTER_TOO_SLOW, MAILBOX_FULL */
  #line(filters: FilterRequest | null): Line {
    const key = filters === null ? '' : filterKey(filters);
    const lanes = filters === null ? [this.#lanes.open] : [this.#lanes.indexed, this.#lanes.search];
    for (const lane of lanes) {
      lane.admit(key);
      const known = lane.lines.get(key);
      if (known !== undefined) return known;
    }
    const statement = this.#options.statementOf(filters);
    return this.#lanes[statement.way].open(key, statement);
  }

  #laneOf(line: Line): ClaimLane {
    return this.#lanes[line.statement.way];
  }

  #lines(): readonly Line[] {
    return Object.values(this.#lanes).flatMap(({ lines }) => [...lines.values()]);
  }

  /** A requester that is gone never claims; one whose deadline has passed is answered. */
  #watch(waiter: Waiter, line: Line): void {
    const { waitMs, signal } = waiter.request;
    const leave = () => {
      if (waiter.state !== 'claiming') this.#answer(line, waiter, []);
    };
    const expire = () => {
      // It never got its turn: the claims before it hang, and later ones would hang as well.
      if (waiter.state === 'waiting' && waitMs === 0) this.#refuse(line, waiter, noClaimBegan());
      // A timer may fire early: without this the waiter would park, and nothing would end its wait.
      else if (waiter.state === 'claiming' && waitMs > 0) waiter.deadline = time.monotonicMs();
      else leave();
    };
    const timer = time.setTimeout(expire, waitMs === 0 ? requesterWaitsMs : waitMs);
    signal?.addEventListener('abort', leave, { once: true });
    waiter.unwatch = () => {
      time.clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    };
  }

  #start(lane: ClaimLane): void {
    while (!lane.inFlight.full) {
      const next = lane.next();
      if (next === null) return;
      const { line } = next;
      const batch = next.batch.filter((waiter) => this.#admit(line, waiter));
      if (batch.length === 0) continue;
      lane.run(line, batch, () => this.#serve(lane, line, batch));
    }
  }

  /** Whether it takes part in a claim; it is refused where its client may hold no more leases. */
  #admit(line: Line, waiter: Waiter): boolean {
    const { held } = this.#options;
    const admitted = held.admit(waiter.request);
    if (admitted) this.#enter(waiter, 'claiming');
    else this.#refuse(line, waiter, holdsTooMany(waiter.request, held.most));
    return admitted;
  }

  async #serve(lane: ClaimLane, line: Line, batch: readonly Waiter[]): Promise<'served' | 'too slow'> {
    const wakes = line.wakes;
    const most = lane.room;
    let fitted: Fitted;
    try {
      fitted = await this.#options.claim(
        batch.map((waiter) => wantOf(waiter, most)),
        line.statement,
      );
    } catch (error) {
      for (const { request } of batch) this.#options.held.handedOut(request, 0);
      const slow = codeOf(error) === 'FILTER_TOO_SLOW';
      // The other waiters of this line would get the same answer, after as long again.
      const others = slow ? line.waiters.filter(({ state }) => state === 'waiting') : [];
      for (const waiter of [...batch, ...others]) this.#refuse(line, waiter, error);
      return slow ? 'too slow' : 'served';
    }
    const { kept: rows, left } = fitted;
    lane.learn(rows.at(-1)?.unit ?? 1, left.length > 0);
    const units = Math.min(unitsOf(batch), most);
    // As many rows as asked for, but in fewer units: groups took the places, and there may be more behind them.
    const more = left.length > 0 || (rows.length >= units && (rows.at(-1)?.unit ?? 0) < units);
    for (const waiter of this.#deal(line, batch, rows)) this.#again(line, waiter, more, line.wakes !== wakes);
    return 'served';
  }

  /** @returns the waiters that got nothing */
  #deal(line: Line, batch: readonly Waiter[], rows: readonly ClaimRow[]): readonly Waiter[] {
    const unfed: Waiter[] = [];
    const dealt: Share[] = [];
    for (const { waiter, share } of sharesOf(batch, rows)) {
      this.#options.held.handedOut(waiter.request, share.length);
      if (share.length === 0) {
        unfed.push(waiter);
      } else if (isGone(waiter)) {
        this.#options.giveBack(share);
        this.#answer(line, waiter, []);
      } else {
        dealt.push({ waiter, share });
        this.#answer(line, waiter, claimedTasks(share));
      }
    }
    emitDispatched(this.#options.scheduler, dealt);
    return unfed;
  }

  /**
   * A pop that got nothing parks, or is answered. It looks again at once where groups took its units, and where something was
   * queued while it looked: a wake that finds no parked pop must not be lost.
   */
  #again(line: Line, waiter: Waiter, more: boolean, woken: boolean): void {
    const gone = this.#stopped || waiter.request.signal?.aborted === true;
    const waits = time.monotonicMs() < waiter.deadline;
    if (gone || !(waits || (more && waiter.request.waitMs === 0))) {
      this.#answer(line, waiter, []);
    } else if (more || woken) {
      this.#enter(waiter, 'waiting');
    } else if (this.#parked >= this.#options.maxParked) {
      this.#refuse(line, waiter, new RotaError('MAILBOX_FULL', `${this.#options.maxParked} pops wait already`));
    } else {
      this.#enter(waiter, 'parked');
      waiter.looked = true;
      emit({ name: 'waiter.parked', scheduler: this.#options.scheduler });
    }
  }

  #answer(line: Line, waiter: Waiter, tasks: readonly ClaimedTask[]): void {
    this.#leave(line, waiter);
    waiter.answer(tasks);
  }

  #refuse(line: Line, waiter: Waiter, error: unknown): void {
    this.#leave(line, waiter);
    waiter.refuse(error);
  }

  #leave(line: Line, waiter: Waiter): void {
    this.#enter(waiter, 'answered');
    waiter.unwatch();
    const at = line.waiters.indexOf(waiter);
    if (at !== -1) line.waiters.splice(at, 1);
    this.#laneOf(line).forget(line);
  }

  #enter(waiter: Waiter, state: Waiter['state']): void {
    if (waiter.state === 'parked') this.#parked -= 1;
    if (state === 'parked') this.#parked += 1;
    waiter.state = state;
  }
}

/** @param most units of the claim: a single pop may ask for more */
function wantOf({ request }: Waiter, most: number): Want {
  const { limit, worker, holder = null, via, leaseMs } = request;
  return { units: Math.min(limit, most), worker, holder, via, leaseMs };
}

/** What one waiter gets of a claim. */
interface Share {
  readonly waiter: Waiter;
  readonly share: readonly ClaimRow[];
}

/** Deals rows to waiters: units in pop order, the oldest waiter first, as the claim's slots were laid out. */
function sharesOf(batch: readonly Waiter[], rows: readonly ClaimRow[]): readonly Share[] {
  let from = 0;
  let units = 0;
  return batch.map((waiter) => {
    units += waiter.request.limit;
    let to = from;
    while (to < rows.length && rows[to]!.unit <= units) to += 1;
    const share = rows.slice(from, to);
    from = to;
    return { waiter, share };
  });
}

/** A waiter's rows as its answer: units count from 1. */
function claimedTasks(share: readonly ClaimRow[]): readonly ClaimedTask[] {
  const before = (share[0]?.unit ?? 1) - 1;
  return share.map((row) => ({
    id: row.id,
    unit: row.unit - before,
    task: row.task,
    leaseId: row.lease_id,
    leaseUntil: row.lease_until,
    attempts: row.attempts,
    trace: row.traceparent,
  }));
}

/** One event per claim and way, never one per pop: each becomes a message of its own on NATS. */
function emitDispatched(scheduler: string, shares: readonly Share[]): void {
  for (const [via, dealt] of Map.groupBy(shares, ({ waiter }) => waiter.request.via)) {
    const tasks = dealt.flatMap(({ share }) => share.map(({ id, organisation }) => ({ id, organisation })));
    emit({ name: 'tasks.dispatched', scheduler, tasks, via });
  }
}

/** A task claimed for a requester that gave up would wait until its lease ends. */
function isGone({ request, deadline }: Waiter): boolean {
  return request.signal?.aborted === true || time.monotonicMs() > deadline + requesterWaitsMs;
}

function noClaimBegan(): RotaError {
  return new RotaError('DATABASE_UNAVAILABLE', `no claim began within ${requesterWaitsMs} ms: try again`);
}
