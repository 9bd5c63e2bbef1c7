import { Fifo } from '../mailbox/lane.ts';

/** Requests that begin in one turn of the event loop. */
export const perTurn = 128;
/**
 * Milliseconds of a turn: where requests are expensive, fewer begin in it. A body of 768 kB or 800 headers take milliseconds each.
 * At 3 ms the pushes that 64 workers send at once were parted, and needed 40 % more statements a task.
 */
const turnMs = 10;
/** With this one a turn asks to be ended: of lone requests one in eight pays for a pass of the event loop. */
const asksForEnd = 8;

/**
 * In what order requests begin. They begin at once while few arrive; of a flood 128 in each turn of the event loop, from each client
 * one after the other. So a client waits for one request of each other client, and not for the 2 000 that one of them sent at
 * once: those took 150 ms. The requests of one client begin in the order in which they came.
 */
export class Turns<Item> {
  readonly #begin: (item: Item) => void;
  readonly #clients = new Map<string, Fifo<Item>>();
  /** Since the last turn ended: lone requests end none until there are eight of them. */
  #begun = 0;
  #ms = 0;
  #ending = false;

  constructor(begin: (item: Item) => void) {
    this.#begin = begin;
  }

  add(client: string, item: Item): void {
    if (this.#clients.size === 0 && !this.#usedUp) return this.#start(item);
    const waiting = this.#clients.get(client) ?? new Fifo<Item>();
    waiting.push(item);
    this.#clients.set(client, waiting);
    this.#askForEnd();
  }

  get #usedUp(): boolean {
    return this.#begun >= perTurn || this.#ms >= turnMs;
  }

  #start(item: Item): void {
    const started = performance.now();
    this.#begun += 1;
    this.#begin(item);
    this.#ms += performance.now() - started;
    if (this.#begun >= asksForEnd || this.#usedUp) this.#askForEnd();
  }

  #askForEnd(): void {
    if (this.#ending) return;
    this.#ending = true;
    setImmediate(() => this.#next());
  }

  /** The next turn. At least one that waits begins in it. */
  #next(): void {
    this.#begun = 0;
    this.#ms = 0;
    this.#ending = false;
    // One that has more goes to the end of the line, where this loop comes to it again.
    for (const [client, waiting] of this.#clients) {
      if (this.#usedUp) break;
      this.#clients.delete(client);
      const item = waiting.shift()!;
      if (waiting.size > 0) this.#clients.set(client, waiting);
      this.#start(item);
    }
    if (this.#clients.size > 0) this.#askForEnd();
  }
}
