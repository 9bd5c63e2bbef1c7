import type { DueSchedule } from '../../../protocol/requests.ts';
import type { DisabledReason, TaskData } from '../../../tasks/task.ts';
import { byTime, Heap } from '../heap.ts';

/** A row of the table `schedules`. Times are epoch milliseconds. */
export interface StoredSchedule {
  readonly id: string;
  readonly scheduler: string;
  readonly organisation: string;
  readonly hash: string;
  readonly data: TaskData;
  readonly boefje: string | null;
  readonly ooi: string | null;
  version: number;
  enabled: boolean;
  disabledReason: DisabledReason | null;
  schedule: string | null;
  inherited: boolean;
  deadlineAt: number | null;
  intervalDeadline: number | null;
  askedDeadline: number | null;
  claimedUntil: number | null;
  /** Each time that it is due at another time: what the heap says of an earlier one does not count. */
  turn: number;
}

export function dueOf(schedule: StoredSchedule): DueSchedule {
  const { id, version, organisation, hash, data, enabled, disabledReason, inherited, deadlineAt } = schedule;
  return {
    id,
    version: String(version),
    organisation,
    hash,
    data,
    enabled,
    disabledReason,
    schedule: schedule.schedule,
    inherited,
    byInterval: deadlineAt !== null && deadlineAt === schedule.intervalDeadline,
    asked: deadlineAt !== null && deadlineAt === schedule.askedDeadline,
    deadlineAt,
  };
}

interface Deadline {
  readonly at: number;
  readonly schedule: StoredSchedule;
  readonly turn: number;
  readonly order: number;
}

/** The schedules of one scheduler by when they may be claimed: their deadline, or when the claim that they have ends. */
export class Deadlines {
  readonly #heap = new Heap<Deadline>(byTime);
  #order = 0;
  #planned = 0;

  /** As it is now; what it was before does not count any more. */
  plan(schedule: StoredSchedule): void {
    schedule.turn += 1;
    const { enabled, deadlineAt, claimedUntil, turn } = schedule;
    if (!enabled || deadlineAt === null) return;
    this.#heap.push({
      at: Math.max(deadlineAt, claimedUntil ?? deadlineAt),
      schedule,
      turn,
      order: (this.#order += 1),
    });
    if ((this.#planned += 1) < this.#heap.size / 2) return;
    this.#heap.keep(isThere);
    this.#planned = 0;
  }

  /** All that may be claimed now, but those of some organisations; they are to be planned again. */
  takeDue(now: number, except: ReadonlySet<string>): readonly StoredSchedule[] {
    const due: StoredSchedule[] = [];
    const passed: Deadline[] = [];
    for (let first = this.#heap.peek(); first !== undefined && first.at <= now; first = this.#heap.peek()) {
      this.#heap.pop();
      if (!isThere(first)) continue;
      if (except.has(first.schedule.organisation)) passed.push(first);
      else due.push(first.schedule);
    }
    for (const entry of passed) this.#heap.push(entry);
    return due.toSorted((a, b) => a.deadlineAt! - b.deadlineAt! || (a.id < b.id ? -1 : 1));
  }
}

function isThere({ schedule, turn }: Deadline): boolean {
  return schedule.turn === turn;
}
