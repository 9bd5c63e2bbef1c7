/** A push of its own would be a message to another thread and three statements each; nobody waits for the outcome. */
const gatherMs = 50;
/** More than one message should carry. */
const most = 1_000;

/** Gathers the schedules that pushes made with the default recurrence, so that the actor corrects them in sets. */
export class Corrections {
  readonly #tell: (scheduler: string, ids: readonly string[]) => void;
  readonly #gathered = new Map<string, Set<string>>();
  #timer: NodeJS.Timeout | null = null;

  constructor(tell: (scheduler: string, ids: readonly string[]) => void) {
    this.#tell = tell;
  }

  add(scheduler: string, ids: readonly string[]): void {
    const gathered = this.#gathered.get(scheduler) ?? new Set();
    for (const id of ids) gathered.add(id);
    this.#gathered.set(scheduler, gathered);
    if (gathered.size >= most) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), gatherMs).unref();
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const [scheduler, ids] of this.#gathered) this.#tell(scheduler, [...ids]);
    this.#gathered.clear();
  }
}
