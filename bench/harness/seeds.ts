import { type Filling, fill } from './fill.ts';

/** What a database server does for the seeds. */
export interface Databases {
  /** An empty database of that name, made anew where it exists. @returns its URL */
  create(name: string): Promise<string>;
  /** The same with the content of another one, which nobody may be connected to. */
  copy(name: string, from: string): Promise<string>;
  url(name: string): string;
}

/** A database of more tasks than this is not copied (14 GB and a minute per ten million) but handed out itself. */
const mostCopied = 2_000_000;

/** Databases full of tasks, each filled once in a run however many suites ask for it. */
export class Seeds {
  readonly #databases: Databases;
  readonly #say: (text: string) => void;
  readonly #filled = new Map<string, Promise<string>>();

  constructor(databases: Databases, say: (text: string) => void) {
    this.#databases = databases;
    this.#say = say;
  }

  /** A database filled so. Large ones are shared: whoever comes later finds what the others left. @returns its URL */
  async take(name: string, filling: Filling): Promise<string> {
    const seed = await this.prepare(filling);
    return isShared(filling) ? this.#databases.url(seed) : this.#databases.copy(name, seed);
  }

  /** Begins, or goes on; what is prepared before it is asked for costs nobody a wait. */
  prepare(filling: Filling): Promise<string> {
    const name = `seed_${filling.queued}_${filling.finished}`;
    const known = this.#filled.get(name);
    if (known !== undefined) return known;
    const filled = this.#fill(name, filling);
    // Whoever takes it hears of it.
    filled.catch(() => {});
    this.#filled.set(name, filled);
    return filled;
  }

  async #fill(name: string, filling: Filling): Promise<string> {
    const began = performance.now();
    await fill(await this.#databases.create(name), filling);
    const tasks = (filling.queued + filling.finished).toLocaleString('en');
    this.#say(`  (${tasks} tasks seeded in ${Math.round((performance.now() - began) / 1_000)} s)`);
    return name;
  }
}

function isShared({ queued, finished }: Filling): boolean {
  return queued + finished > mostCopied;
}
