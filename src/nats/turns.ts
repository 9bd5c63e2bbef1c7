import { Fifo } from '../mailbox/lane.ts';

/** Requests that begin in one turn of the event loop: three milliseconds of work. */
export const perTurn = 128;
/** And no more where they are dear: a body of 768 kB or 800 headers take milliseconds each. At least one begins in each turn. */
const turnMs = 3;

/**
 * In what order requests begin. They begin at once while few arrive; of a flood 128 in each turn of the event loop, from each client
 * one after the other. So a client waits for one request of each other client, and not for the 2 000 that one of them sent at
 * once: those took 150 ms. The requests of one client begin in the order in which they came.
 */
export class Turns<Item> {
  readonly #begin: (item: Item) => void;
  readonly #clients = new Map<string, Fifo<Item>>();
  #begun = 0;
  /** performance.now() at which the turn has had its time. */
  #until = 0;
  #scheduled = false;

  constructor(begin: (item: Item) => void) {
    this.#begin = begin;
  }

  add(client: string, item: Item): void {
    this.#schedule();
    if (this.#clients.size === 0 && this.#begun < perTurn && performance.now() < this.#until) {
      this.#begun += 1;
      this.#begin(item);
      return;
    }
    const waiting = this.#clients.get(client) ?? new Fifo<Item>();
    waiting.push(item);
    this.#clients.set(client, waiting);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#until = performance.now() + turnMs;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    this.#begun = 0;
    const until = performance.now() + turnMs;
    // One that has more goes to the end of the line, where this loop comes to it again.
    for (const [client, waiting] of this.#clients) {
      if (this.#begun === perTurn || (this.#begun > 0 && performance.now() > until)) break;
      this.#clients.delete(client);
      const item = waiting.shift()!;
      if (waiting.size > 0) this.#clients.set(client, waiting);
      this.#begun += 1;
      this.#begin(item);
    }
    if (this.#clients.size > 0) this.#schedule();
  }
}
