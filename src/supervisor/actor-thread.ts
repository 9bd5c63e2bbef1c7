import { MessageChannel, Worker } from 'node:worker_threads';
import { ControlClient } from './thread-control.ts';
import { type Failure, failureOf, mailboxFailure } from '../mailbox/failure.ts';
import { Mailbox, receive } from '../mailbox/mailbox.ts';
import { ActorRef } from '../mailbox/ref.ts';
import { type ActorBackend, type ActorMessage, requestHandlers } from './requests.ts';
import type { ThreadData, ThreadSettings } from './thread-data.ts';
import { time } from '../time-and-chance.ts';

export interface ThreadOptions {
  readonly actor: string;
  /** URLs of actors/host.ts and of the actor's behavior.ts. */
  readonly host: string;
  readonly behavior: string;
  readonly settings: ThreadSettings;
  readonly backend: ActorBackend;
  readonly maxHeapMb: number;
}

/** V8's default is 48 per thread; an actor allocates in bursts, and idles in between. */
const youngMb = 12;

/** One thread of an actor, from spawn to end. A restart makes a new one: nothing is carried over. */
export class ActorThread {
  readonly inbox: ActorRef;
  readonly control: ControlClient;
  /** Resolves once, when the thread has ended, with why. Never rejects. */
  readonly ended: Promise<Failure>;
  readonly #worker: Worker;
  readonly #requests: Mailbox<ActorMessage>;
  #reason: Failure | null = null;

  constructor(options: ThreadOptions) {
    const [inbox, requests, control] = [new MessageChannel(), new MessageChannel(), new MessageChannel()];
    const data: ThreadData = {
      ...options.settings,
      actor: options.actor,
      behavior: options.behavior,
      inbox: inbox.port2,
      requests: requests.port2,
      control: control.port2,
    };
    this.#worker = new Worker(new URL(options.host), {
      name: `scheduler:${options.actor}`,
      workerData: data,
      transferList: [data.inbox, data.requests, data.control],
      resourceLimits: { maxOldGenerationSizeMb: options.maxHeapMb, maxYoungGenerationSizeMb: youngMb },
    });
    this.#requests = new Mailbox(requestHandlers(options.actor, options.backend), {
      // The handlers catch every error of the backend: this one is a bug of ours.
      crashed: (error) => void this.end(failureOf(error)),
    });
    receive(requests.port1, this.#requests, {
      drain: (withinMs) => this.#requests.drain(withinMs),
      stop: () => undefined,
    });
    this.inbox = new ActorRef(inbox.port1);
    this.control = new ControlClient(control.port1);
    this.ended = this.#watch();
  }

  /** Ends the thread at once, spinning or not. The first reason given counts. */
  async end(reason: Failure): Promise<void> {
    this.#reason ??= reason;
    await this.#worker.terminate();
  }

  /** Asks the thread to end by itself; ends it after `graceMs`. */
  async stop(reason: Failure, graceMs: number): Promise<void> {
    this.#reason ??= reason;
    this.inbox.stop();
    const timer = time.setTimeout(() => void this.#worker.terminate(), graceMs);
    await this.ended;
    time.clearTimeout(timer);
  }

  /** Resolves when every request of the thread is answered, or after `withinMs`. */
  async settleRequests(withinMs: number): Promise<void> {
    await this.#requests.drain(withinMs);
  }

  async #watch(): Promise<Failure> {
    const failure = await new Promise<Failure>((resolve) => {
      let thrown: Failure | null = null;
      this.#worker.once('error', (error) => (thrown = failureOf(error)));
      this.#worker.once('exit', (code) =>
        resolve(this.#reason ?? thrown ?? mailboxFailure('ACTOR_TERMINATED', `the thread exited with code ${code}`)),
      );
    });
    this.inbox.close();
    this.control.close();
    return failure;
  }
}
