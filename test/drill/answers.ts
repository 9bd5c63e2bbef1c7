import { answerWithinMs, popMarginMs } from '../../src/admission.ts';

type Via = 'nats' | 'rest';
export type Kind = 'pop' | 'push' | 'patch' | 'heartbeat';
/** `silent`: no answer within the bound; `cut`: the connection to the one that was asked ended, or there was none. */
type Outcome = 'ok' | 'refused' | 'silent' | 'cut';

export interface Answer {
  readonly outcome: Outcome;
  /** HTTP status, or that of a NATS micro service. */
  readonly status: number;
  readonly detail: string;
  readonly body: unknown;
}

export interface Asked {
  readonly kind: Kind;
  readonly via: Via;
  /** Number of the supervisor, over REST; over NATS any of them answers. */
  readonly to: number | null;
  /** Epoch milliseconds. */
  readonly sentAt: number;
  readonly endedAt: number;
  readonly answer: Answer;
}

/** A machine that is busy reads an answer late: that is not the answer's fault. */
const leniencyMs = 1_000;

/** Every request that the load made, and how it ended. */
export class Answers {
  readonly #asked: Asked[] = [];

  /**
   * Waits for an answer until its bound has passed. `send` must end within the milliseconds that it is given.
   *
   * @param what `gone`: aborted once the client has died, which then reads no answer.
   */
  async record(
    what: Pick<Asked, 'kind' | 'via' | 'to'> & { readonly waitMs?: number; readonly gone?: AbortSignal | undefined },
    send: (patienceMs: number) => Promise<Answer>,
  ): Promise<Answer> {
    const { kind, via, to, waitMs = 0, gone } = what;
    const sentAt = Date.now();
    const answer = await send((waitMs > 0 ? waitMs + popMarginMs : answerWithinMs) + leniencyMs);
    if (gone?.aborted !== true) this.#asked.push({ kind, via, to, sentAt, endedAt: Date.now(), answer });
    return answer;
  }

  all(): readonly Asked[] {
    return this.#asked;
  }
}
