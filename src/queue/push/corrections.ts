import type { CorrectSchedules, PushedSchedule } from '../../protocol/commands.ts';
import { time, type Timer } from '../../time-and-chance.ts';

/** One command for each push would be a message to another thread and three statements. No caller waits for the outcome. */
const gatherMs = 50;
/** The most that one message should carry. */
const most = 1_000;

/** Gathers the schedules that pushes made with the default recurrence, so that the actor corrects them in sets. */
export class Corrections {
  readonly #send: (scheduler: string, command: CorrectSchedules) => void;
  readonly #gathered = new Map<string, Map<string, PushedSchedule>>();
  #timer: Timer | null = null;

  constructor(send: (scheduler: string, command: CorrectSchedules) => void) {
    this.#send = send;
  }

  add(scheduler: string, pushed: readonly PushedSchedule[]): void {
    const gathered = this.#gathered.get(scheduler) ?? new Map<string, PushedSchedule>();
    for (const schedule of pushed) gathered.set(schedule.id, schedule);
    this.#gathered.set(scheduler, gathered);
    if (gathered.size >= most) this.flush();
    else this.#timer ??= time.setTimeout(() => this.flush(), gatherMs).unref();
  }

  flush(): void {
    if (this.#timer !== null) time.clearTimeout(this.#timer);
    this.#timer = null;
    for (const [scheduler, gathered] of this.#gathered) {
      const command = { kind: 'correct-schedules', ids: [...gathered.keys()], pushed: [...gathered.values()] } as const;
      this.#send(scheduler, command);
    }
    this.#gathered.clear();
  }
}
