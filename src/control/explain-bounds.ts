import { InFlight } from '../admission.ts';
import type { ExplanationView } from '../protocol/operator-lists.ts';
import type { Caller } from './operator-command.ts';
import { Recent } from './recent.ts';

/** Each asks Katalogus and Octopoes anew, and an actor answers one after the other: some seconds each where a service is slow. */
export const ofCallerAtMost = 4;
export const ofActorAtMost = 16;
/** How long an explanation is the answer to the same question. */
const sharedMs = 1_000;

/** Explanations under way: of each caller, and of each actor, whose other askers would wait behind them. */
export class ExplainBounds {
  readonly #fresh = new Recent<ExplanationView>();
  readonly #callers = new InFlight({
    all: unbounded,
    ofClient: { most: ofCallerAtMost, mostBytes: Infinity },
    refusal: { code: 'TOO_MANY_REQUESTS', what: 'explanations' },
  });
  readonly #actors = new Map<string, InFlight>();

  /** Readers' same question is asked once a second; operators see at once what they changed. @throws RotaError as `ofCaller` */
  shared({ by, access }: Caller, question: string, ask: () => Promise<ExplanationView>): Promise<ExplanationView> {
    if (access === 'operate') return this.ofCaller(by, ask);
    return this.#fresh.of(question, sharedMs, () => {
      const asked = this.ofCaller(by, ask);
      setTimeout(() => this.#fresh.forget(question), sharedMs).unref();
      return asked;
    });
  }

  /** @throws RotaError TOO_MANY_REQUESTS */
  ofCaller<T>(by: string | null, ask: () => Promise<T>): Promise<T> {
    const leave = this.#callers.enter(by ?? '', 0);
    return ask().finally(leave);
  }

  /** @throws RotaError MAILBOX_FULL */
  ofActor<T>(actor: string, ask: () => Promise<T>): Promise<T> {
    let explaining = this.#actors.get(actor);
    if (explaining === undefined) this.#actors.set(actor, (explaining = explanationsOf(actor)));
    const leave = explaining.enter('', 0);
    return ask().finally(leave);
  }
}

const unbounded = { most: Infinity, mostBytes: Infinity };

function explanationsOf(actor: string): InFlight {
  return new InFlight({
    all: { most: ofActorAtMost, mostBytes: Infinity },
    ofClient: unbounded,
    refusal: { code: 'MAILBOX_FULL', what: `explanations by the actor ${actor}` },
  });
}
