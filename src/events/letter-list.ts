import type { EventStream } from '../protocol/scheduler.ts';

/** An event that was given up, as an operator sees it. */
export interface DeadLetter {
  /** Names it in `requeue` and `drop`: its number in JetStream, a digest of it in RabbitMQ. */
  readonly id: string;
  readonly stream: EventStream;
  /** ISO timestamp. */
  readonly at: string | null;
  /** `CODE: message`. */
  readonly error: string | null;
  readonly attempts: number;
  /** As it came, also where it is no JSON; null where a list had no room for it. */
  readonly body: string | null;
  readonly bodyBytes: number;
}

/** In bytes, over all of a list: its answer is one message of NATS, which carries 1 MB with the rest around it. */
export const bodiesAtMost = 700_000;

/** Bodies are let go as they are read: a thousand letters of 1 MB would be held at once. */
export class LetterList {
  readonly found: DeadLetter[] = [];
  readonly #id: string | undefined;
  #room = bodiesAtMost;

  constructor(id: string | undefined) {
    this.#id = id;
  }

  add(letter: DeadLetter): void {
    if (this.#id !== undefined && letter.id !== this.#id) return;
    // Of one that is too large by itself, the beginning is shown.
    const isHeld = this.#id !== undefined || this.found.length === 0 || letter.bodyBytes <= this.#room;
    this.found.push(isHeld ? letter : { ...letter, body: null });
    if (isHeld) this.#room -= letter.bodyBytes;
  }
}
