import { setTimeout as delay } from 'node:timers/promises';
import type { Answers } from '../answers.ts';
import type { Ledger } from '../ledger.ts';
import type { Supervisor } from '../supervisor.ts';
import { askRest } from '../wire.ts';

const everyMs = 400;

/** KAT's runner at one supervisor: pops over REST whether or not the pop before was answered, and reports. */
export class Runner {
  readonly #supervisor: Supervisor;
  readonly #answers: Answers;
  readonly #ledger: Ledger;
  readonly #scheduler: string;
  readonly #timer: NodeJS.Timeout;
  #stopped = false;

  constructor(options: { supervisor: Supervisor; answers: Answers; ledger: Ledger; scheduler: string }) {
    this.#supervisor = options.supervisor;
    this.#answers = options.answers;
    this.#ledger = options.ledger;
    this.#scheduler = options.scheduler;
    this.#timer = setInterval(() => void this.#run(), everyMs);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #run(): Promise<void> {
    const { number: to, api } = this.#supervisor;
    const sentAt = Date.now();
    const url = `${api}/schedulers/${this.#scheduler}/pop?limit=1`;
    const answer = await askRest(this.#answers, { kind: 'pop', to, url, body: null });
    if (answer.outcome !== 'ok') return;
    for (const { id } of (answer.body as { results: { id: string }[] }).results) {
      const unleased = { lease: null, leaseMs: 0, leaseUntil: null };
      this.#ledger.handOut({ task: id, ...unleased, sentAt, receivedAt: Date.now() });
      await this.#report(id);
    }
  }

  async #report(id: string): Promise<void> {
    const { number: to, api } = this.#supervisor;
    while (!this.#stopped) {
      const body = { status: 'completed' };
      const answer = await askRest(this.#answers, {
        kind: 'patch',
        to,
        url: `${api}/tasks/${id}`,
        method: 'PATCH',
        body,
      });
      if (answer.outcome === 'ok') return this.#ledger.complete(id, null);
      await delay(500);
    }
  }
}
