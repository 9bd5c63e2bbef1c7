import type { SetLimit } from '../../../control/limit-bodies.ts';
import { concerns, keyOf } from '../../../queue/limits/limit.ts';
import { leastBetweenMs } from '../../../queue/limits/releaser.ts';
import { addTo, drop, limitedOf, type Limiter, limiterOf, setAside, Windows } from './limiter.ts';
import type { QueuedRows } from './queued-rows.ts';
import type { Row } from './rows.ts';

interface LimitsParts {
  readonly limits: readonly SetLimit[];
  /** By key: GCRA's theoretical arrival time, where a queue begins as a database has it. */
  readonly limitArrivals?: ReadonlyMap<string, number>;
  /** From one pass to the next at least, by how many keys there are: each pass looks at all. None where absent. */
  readonly restMs?: (keys: number) => number;
  readonly now: () => number;
  readonly rowsOf: (scheduler: string) => QueuedRows;
  readonly isPaused: (row: Row) => boolean;
  /** There is a pause of anything. */
  readonly isPausing: () => boolean;
  /** Rows may be popped. */
  readonly freed: (scheduler: string) => void;
  readonly after: (ms: number, run: () => void) => void;
}

/** The releaser looks each second, in case another supervisor changed something: here each change wakes it. */
const lookEveryMs = 60_000;

/** What limits and windows hold, and the releaser that lets it go: src/queue/limits on the queue in memory. */
export class MemoryLimits {
  readonly #parts: LimitsParts;
  readonly #limiters = new Map<string, Limiter>();
  readonly #windows: Windows;
  /** Held, and not looked at. */
  #arrived: Row[] = [];
  /** By which a row that is under way counts. */
  readonly #units = new WeakMap<Row, string>();
  #taken = 0;
  #nextAt = Infinity;

  constructor(parts: LimitsParts) {
    // As limits.sql reads them: a row is parked at the first of its keys.
    this.#parts = { ...parts, limits: parts.limits.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
    this.#windows = new Windows(parts.now);
  }

  /** Whether a row is to be looked at before it may be popped: rota_pausing knows scheduler, organisation and plug-in. */
  mayConcern(scheduler: string, organisation: string, plugin: string | null): boolean {
    return this.#parts.limits.some(
      (limit) =>
        (limit.scheduler ?? scheduler) === scheduler &&
        (limit.organisation ?? organisation) === organisation &&
        (limit.plugin === null || (plugin !== null && limit.plugin.split(',').includes(plugin))),
    );
  }

  /** It is queued, and held. */
  arrived(row: Row): void {
    if (this.#parts.limits.length === 0) return;
    this.#arrived.push(row);
    this.#wake(leastBetweenMs);
  }

  /** It is under way already, and takes its places. */
  underWay(row: Row): void {
    const keys = this.#keysOf(row);
    if (keys.length > 0) row.limits = keys;
    const unit = `0 ${row.group ?? row.id}`;
    this.#units.set(row, unit);
    for (const key of keys) addTo(this.#limiters.get(key)!.leased, unit, row);
  }

  /** Its place is taken by a lease: what it spends is spent. A deduplicated group that one claim took counts once. */
  claimed(row: Row, claim: number): void {
    row.parkedAt = null;
    const unit = `${claim} ${row.group ?? row.id}`;
    this.#units.set(row, unit);
    for (const key of row.limits ?? []) {
      const limiter = this.#limiters.get(key)!;
      const isFirst = !limiter.leased.has(unit);
      drop(limiter.admitted, row.group ?? row.id, row);
      addTo(limiter.leased, unit, row);
      const { spacingMs } = limiter.limit;
      if (isFirst && spacingMs !== null) limiter.arrival = Math.max(limiter.arrival, this.#parts.now()) + spacingMs;
    }
  }

  /** It runs without a claim: it counts, and the rest of its group waits again. */
  taken(row: Row): void {
    if (row.limits === null) return;
    this.claimed(row, (this.#taken -= 1));
    this.#wake(leastBetweenMs);
    const rows = this.#parts.rowsOf(row.scheduler);
    for (const member of row.group === null ? [] : rows.groupOf(row.group)) {
      if (member.limits === null) continue;
      rows.hold(member);
      this.left(member);
      this.arrived(member);
    }
  }

  /** It is neither queued nor leased as it was: it gives its places back. */
  left(row: Row): void {
    row.parkedAt = null;
    if (row.limits === null) return;
    for (const key of row.limits) {
      const limiter = this.#limiters.get(key)!;
      drop(limiter.admitted, row.group ?? row.id, row);
      drop(limiter.leased, this.#units.get(row) ?? '', row);
    }
    row.limits = null;
    this.#wake(leastBetweenMs);
  }

  /** The next pass comes then, or earlier. */
  #wake(ms: number): void {
    const rest = Math.max(ms, this.#parts.restMs?.(this.#limiters.size) ?? 0);
    const at = this.#parts.now() + rest;
    if (at >= this.#nextAt) return;
    this.#nextAt = at;
    this.#parts.after(rest, () => {
      if (this.#nextAt !== at) return;
      this.#nextAt = Infinity;
      this.#pass();
      this.#wake(Math.max(leastBetweenMs, this.#dueMs()));
    });
  }

  /** Until a key may have room again, or a window closes on what it let go. Ends wake it, and a clock that is set is noticed in a while. */
  #dueMs(): number {
    let due = lookEveryMs;
    for (const { limit, arrival, admitted, parked } of this.#limiters.values()) {
      if (parked.size + (limit.hours === null ? 0 : admitted.size) === 0) continue;
      const changes =
        limit.hours === null ? arrival - (limit.burst - 1) * (limit.spacingMs ?? 0) : this.#windows.until(limit.name);
      const ms = (changes ?? Infinity) - this.#parts.now();
      if (ms > 0 && ms < due) due = ms;
    }
    return due;
  }

  #pass(): void {
    this.#close();
    const rows = this.#arrived;
    this.#arrived = [];
    for (const row of rows)
      if (row.status === 'queued' && row.held && row.limits === null && row.parkedAt === null) this.#resolve(row);
    for (const limiter of this.#limiters.values()) this.#admit(limiter);
  }

  /** Parks again what a window let go before it closed. */
  #close(): void {
    for (const [window, { limit, admitted }] of this.#limiters) {
      if (limit.hours === null || this.#windows.isOpen(limit)) continue;
      for (const row of [...admitted.values()].flatMap((unit) => [...unit])) {
        this.#parts.rowsOf(row.scheduler).hold(row);
        for (const key of row.limits!) drop(this.#limiters.get(key)!.admitted, row.group ?? row.id, row);
        this.#park(row, window);
      }
    }
  }

  #resolve(row: Row): void {
    if (this.#parts.isPaused(row)) {
      row.parkedAt = setAside;
      return;
    }
    const keys = this.#keysOf(row);
    if (keys.length === 0) {
      this.#parts.rowsOf(row.scheduler).release(row, row.rank);
      this.#parts.freed(row.scheduler);
      return;
    }
    row.limits = keys;
    this.#park(row, keys[0]!);
  }

  #keysOf(row: Row): readonly string[] {
    const task = limitedOf(row);
    return this.#parts.limits
      .filter((limit) => concerns(limit, task))
      .map((limit) => {
        const { key } = keyOf(limit, task);
        if (!this.#limiters.has(key))
          this.#limiters.set(key, limiterOf(limit, this.#parts.limitArrivals?.get(key) ?? 0));
        return key;
      });
  }

  #park(row: Row, key: string): void {
    row.parkedAt = key;
    this.#limiters.get(key)!.parked.push(row);
  }

  #admit(limiter: Limiter): void {
    const { parked } = limiter;
    if (this.#parts.isPausing() && this.#roomOf(limiter) >= 1) this.#setAside(limiter);
    const away: Row[] = [];
    for (let row = parked.peek(); row !== undefined; row = parked.peek()) {
      const isThere = this.#isParkedAt(limiter, row);
      if (isThere && this.#roomOf(limiter) < 1) break;
      parked.pop();
      if (!isThere) continue;
      const full = row.limits!.find((key) => this.#roomOf(this.#limiters.get(key)!) < 1);
      if (full === undefined) this.#letGo(row);
      else {
        row.parkedAt = full;
        away.push(row);
      }
    }
    for (const row of away) this.#park(row, row.parkedAt!);
  }

  #isParkedAt(limiter: Limiter, { parkedAt, held, status }: Row): boolean {
    return parkedAt !== null && held && status === 'queued' && this.#limiters.get(parkedAt) === limiter;
  }

  /** What a pause holds does not stand before others. */
  #setAside(limiter: Limiter): void {
    limiter.parked.keep((row) => {
      if (!this.#isParkedAt(limiter, row)) return false;
      if (!this.#parts.isPaused(row)) return true;
      [row.limits, row.parkedAt] = [null, setAside];
      return false;
    });
  }

  /** With the rest of its group, as far as it has the same keys. */
  #letGo(leader: Row): void {
    const rows = this.#parts.rowsOf(leader.scheduler);
    const isAlike = (row: Row) =>
      row.held && row.limits !== null && String(row.limits) === String(leader.limits) && !this.#parts.isPaused(row);
    const unit = leader.group === null ? [leader] : rows.heldOfGroup(leader.group).filter(isAlike);
    for (const row of unit) {
      row.parkedAt = null;
      for (const key of row.limits!) addTo(this.#limiters.get(key)!.admitted, row.group ?? row.id, row);
      rows.release(row, row.rank);
    }
    this.#parts.freed(leader.scheduler);
  }

  /** How many units a key may let go at this moment. */
  #roomOf({ limit, arrival, admitted, leased }: Limiter): number {
    if (limit.hours !== null) return this.#windows.isOpen(limit) ? Infinity : 0;
    const places = limit.concurrency === null ? Infinity : limit.concurrency - admitted.size - leased.size;
    if (limit.spacingMs === null) return places;
    const ahead = Math.max(arrival - this.#parts.now(), 0);
    return Math.min(places, Math.floor(limit.burst - ahead / limit.spacingMs) - admitted.size);
  }
}
