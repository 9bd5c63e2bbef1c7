import { MessageChannel, Worker } from 'node:worker_threads';
import { ControlClient } from './thread-control.ts';
import { type Failure, failureOf, mailboxFailure } from '../mailbox/failure.ts';
import { Mailbox } from '../mailbox/mailbox.ts';
import { receive } from '../mailbox/receive.ts';
import { ActorRef } from '../mailbox/ref.ts';
import { type ActorBackend, type ActorMessage, requestHandlers } from './requests.ts';
import type { ThreadData, ThreadSettings } from './thread-data.ts';

export interface ThreadOptions {
  readonly actor: string;
  /** URLs of actors/host.ts and of the actor's behavior.ts. */
  readonly host: string;
  readonly behavior: string;
  readonly settings: ThreadSettings;
  readonly backend: ActorBackend;
  readonly maxHeapMb: number;
}

/** V8 would take 48 for each thread as it thinks fit; an actor allocates in bursts, and waits in between. */
const youngMb = 12;

/** One thread of an actor, from spawn to end. A restarted actor gets a new one: nothing is carried over. */
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
      // requestHandlers catch whatever the backend throws: what comes here is a bug of ours.
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

  /** Ends the thread at once, spinning or not. The first reason given is the one that counts. */
  async end(reason: Failure): Promise<void> {
    this.#reason ??= reason;
    await this.#worker.terminate();
  }

  /** Asks the thread to end by itself; ends it after `graceMs`. */
  async stop(reason: Failure, graceMs: number): Promise<void> {
    this.#reason ??= reason;
    this.inbox.stop();
    const timer = setTimeout(() => void this.#worker.terminate(), graceMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** Resolves when everything that the thread had asked for is carried out, or after `withinMs`. */
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
