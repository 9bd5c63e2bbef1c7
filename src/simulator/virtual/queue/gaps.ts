import type { Lease } from './rows.ts';

/** A time in which no heartbeat could be recorded; epoch milliseconds. */
interface Gap {
  readonly began: number;
  readonly ended: number;
}

/** As rota_is_silent of sql/migrations: a supervisor says each second that it is present. */
const silentMs = 3_000;
const keptMs = 86_400_000;

/** What supervisors know of times in which leases could not be renewed: the table `gaps`. */
export class Gaps {
  readonly #gaps: Gap[] = [];
  #heardAt: number | null = null;

  /** The supervisor is there; since it last said so it was not, where that is too long ago. */
  heard(now: number): void {
    if (this.#heardAt !== null && this.#heardAt < now - silentMs) this.#gaps.push({ began: this.#heardAt, ended: now });
    this.#heardAt = now;
    if (this.#gaps.length > 0 && this.#gaps[0]!.ended < now - keptMs) this.#gaps.shift();
  }

  /** A lease ran out in a gap, or before its holder had a turn after it. */
  took({ until, renewedAt }: Lease): boolean {
    return this.#gaps.some((gap) => until >= gap.began && until < gap.ended + graceAfter(gap, until - renewedAt));
  }

  /** Its holder may renew it still. */
  spares({ until, renewedAt }: Lease, now: number): boolean {
    return this.#gaps.some((gap) => until >= gap.began && now < gap.ended + graceAfter(gap, until - renewedAt));
  }
}

/** As rota_grace_after of sql/migrations. */
function graceAfter({ began, ended }: Gap, leaseMs: number): number {
  return Math.min(Math.max(leaseMs, 0) / 3 + 1_000, Math.max(ended - began, 60_000));
}
