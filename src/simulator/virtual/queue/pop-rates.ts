import { lookBack, type StartRow } from '../../../queue/lists/start.ts';
import { saveEveryMs } from '../../../observation/rates.ts';
import type { QueuedRows } from './queued-rows.ts';
import { popOrder, type Row } from './rows.ts';

/** What was handed out until then, since the row before; epoch milliseconds. */
interface Saved {
  readonly until: number;
  tasks: number;
  rank: number | null;
}

/**
 * The table `image_pops` of one scheduler in memory, as its supervisor writes it, and task-start.sql on it. Simulated workers name no image,
 * so that rates are of all images together.
 */
export class PopRates {
  readonly #now: () => number;
  readonly #rows: QueuedRows;
  readonly #saved: Saved[] = [];
  #firstAt: number | null = null;

  constructor(rows: QueuedRows, now: () => number) {
    this.#rows = rows;
    this.#now = now;
  }

  /** Each pop that is answered has asked. */
  claimed(unit: readonly Row[]): void {
    const now = this.#now();
    let last = this.#saved.at(-1);
    if (last === undefined || last.until <= now) {
      last = { until: now + saveEveryMs, tasks: 0, rank: null };
      this.#saved.push(last);
      this.#firstAt ??= now;
      while (this.#saved[0]!.until < now - 2 * lookBack[0] * 1_000) this.#saved.shift();
    }
    last.tasks += unit.length;
    for (const { rank } of unit) if (rank > (last.rank ?? 0)) last.rank = rank;
  }

  /** Of a task that may be popped. `isFair`: ranks are virtual times. */
  startOf(task: Row, isFair: boolean): StartRow {
    const now = this.#now();
    const [seconds, least] = lookBack;
    const stored = this.#saved.filter(({ until }) => until <= now);
    let [before, oldestAt] = [0, task.createdAt];
    for (const row of this.#rows.byHash.values()) {
      if (row.held || popOrder(row, task) >= 0) continue;
      before += 1;
      oldestAt = Math.min(oldestAt, row.createdAt);
    }
    const since = Math.max(now - seconds * 1_000, this.#firstAt ?? now);
    const busySince = Math.max(since, Math.min(oldestAt, now - least * 1_000));
    const tasksSince = (from: number) =>
      stored.reduce((sum, { until, tasks }) => (until > from ? sum + tasks : sum), 0);
    const tasks = tasksSince(since);
    const ranked = isFair ? stored.filter(({ until, rank }) => until > busySince && rank !== null && rank > 1) : [];
    const [first, last] = [ranked[0], ranked.at(-1)];
    const ranks = ranked.map(({ rank }) => rank!);
    const lastRank = ranks.length === 0 ? null : Math.max(...ranks);
    const pace =
      first === undefined || first === last ? null : (lastRank! - Math.min(...ranks)) / (last!.until - first.until);
    return {
      image: '',
      before,
      now_ms: now,
      asked_ms: this.#saved.at(-1)?.until ?? null,
      seconds: (now - since) / 1_000,
      tasks,
      any_image: tasks,
      busy_seconds: (now - busySince) / 1_000,
      busy_tasks: tasksSince(busySince),
      ranks_per_second: pace === null ? null : pace * 1_000,
      ranks_before: lastRank === null ? null : task.rank - lastRank,
    };
  }
}
