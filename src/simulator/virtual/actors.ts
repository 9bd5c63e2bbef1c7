import type { KatServices } from '../../kat/kat.ts';
import { Mailbox, startClock } from '../../mailbox/mailbox.ts';
import type { Message } from '../../mailbox/message.ts';
import type { AskSupervisor } from '../../protocol/requests.ts';
import type { Log, SchedulerDefinition, SchedulerSettings, Setup } from '../../protocol/scheduler.ts';
import type { ActorBackend } from '../../supervisor/requests.ts';
import type { Catalog } from '../../supervisor/catalog.ts';
import type { Random } from '../random.ts';
import type { Broker } from './broker.ts';
import type { VirtualClock } from './clock.ts';

interface ActorsOptions {
  readonly catalog: Catalog;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly broker: Broker;
  readonly kat: KatServices;
  readonly backend: ActorBackend;
  readonly settings: SchedulerSettings;
  /** The database's time, in epoch milliseconds. */
  readonly now: () => number;
  /** Before each request to the database: throws where it is out. */
  readonly reaching: () => void;
  readonly log: Log;
  readonly refused: (scheduler: string, reason: string, about: Readonly<Record<string, string | null>>) => void;
  /** An error that no handler caught: it ends an actor. */
  readonly crashed: (scheduler: string, error: unknown) => void;
}

/** What a request of an actor takes, in milliseconds: to the supervisor, to the database and back. */
const requestMs = 8;

/**
 * One incarnation of the schedulers of a supervisor: their behaviors behind their real mailboxes, as actors/host.ts builds them in
 * threads. Killed, it does nothing any more: what it awaits never comes.
 */
export class Actors {
  readonly #options: ActorsOptions;
  readonly #mailboxes = new Map<string, Mailbox>();
  readonly #stopping = new AbortController();
  readonly #stops: (() => void)[] = [];
  #alive = true;

  constructor(options: ActorsOptions) {
    this.#options = options;
    for (const { name, definition } of options.catalog.actors) this.#start(name, definition);
  }

  /** Nothing where there is none of that name. */
  tell(scheduler: string, message: Message): void {
    void this.#mailboxes.get(scheduler)?.tell(message);
  }

  kill(): void {
    this.#alive = false;
    for (const stop of this.#stops) stop();
  }

  #start(scheduler: string, definition: SchedulerDefinition): void {
    const { broker, crashed, log, refused, settings, now, random } = this.#options;
    const setup: Setup = {
      scheduler,
      settings,
      supervisor: this.#supervisorOf(scheduler),
      kat: this.#katWhileAlive(),
      now,
      random: () => random.next(),
      log,
      stopping: this.#stopping.signal,
      refuse: (reason, about) => refused(scheduler, reason, about),
    };
    const mailbox = new Mailbox(definition.start(setup), { crashed: (error) => crashed(scheduler, error) });
    this.#mailboxes.set(scheduler, mailbox);
    for (const stream of definition.streams)
      broker.consume(stream, (event, { alone, again }) => mailbox.ask(event, { alone, again, trace: '' }));
    for (const { message, everyMs } of definition.clocks) this.#stops.push(startClock(mailbox, message, everyMs));
  }

  #supervisorOf(scheduler: string): AskSupervisor {
    const { backend, clock, random, reaching } = this.#options;
    return async (kind, request) => {
      // Half of the requests are decided before they take their time, half afterwards: others come in between either way.
      const first = random.chance(0.5);
      const ms = 1 + random.integer(requestMs);
      if (!first) await this.#whileAlive(clock.sleep(ms));
      reaching();
      const reply = await backend[kind](scheduler, request);
      if (first) await this.#whileAlive(clock.sleep(ms));
      return reply;
    };
  }

  #katWhileAlive(): KatServices {
    const { kat } = this.#options;
    const guarded = <T extends object>(service: T): T =>
      Object.fromEntries(
        Object.entries(service).map(([name, call]: [string, (...args: unknown[]) => unknown]) => [
          name,
          (...args: unknown[]) => {
            const answer = call(...args);
            return answer instanceof Promise ? this.#whileAlive(answer) : answer;
          },
        ]),
      ) as T;
    return { katalogus: guarded(kat.katalogus), octopoes: guarded(kat.octopoes), bytes: guarded(kat.bytes) };
  }

  /** Of the dead nothing is heard, neither an answer nor an error. */
  async #whileAlive<T>(answer: Promise<T>): Promise<T> {
    const settled = await answer.then(
      (value) => ({ ok: true, value }) as const,
      (error: unknown) => ({ ok: false, error }) as const,
    );
    if (!this.#alive) return new Promise<T>(() => {});
    if (settled.ok) return settled.value;
    throw settled.error;
  }
}
