import type { MessagePort } from 'node:worker_threads';
import * as Comlink from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { failureOf } from '../mailbox/failure.ts';
import type { Outcome } from '../mailbox/ref.ts';
import type { LogLevel } from '../protocol/operator.ts';
import type { ThreadControl, ThreadStatus } from './thread-control.ts';

/**
 * The main thread's end of a control port. A comlink call to a dead or spinning thread never settles by itself: every
 * call here is raced against the port's close and a deadline.
 */
export class ControlClient {
  readonly #port: MessagePort;
  readonly #remote: Comlink.Remote<ThreadControl>;
  readonly #closed: Promise<Outcome<never>>;

  constructor(port: MessagePort) {
    this.#port = port;
    this.#remote = Comlink.wrap<ThreadControl>(nodeEndpoint(port));
    this.#closed = new Promise((resolve) => port.once('close', () => resolve({ outcome: 'terminated' })));
  }

  status(withinMs: number): Promise<Outcome<ThreadStatus>> {
    return this.#race(() => this.#remote.status(), withinMs);
  }

  setLogLevel(level: LogLevel, withinMs: number): Promise<Outcome<void>> {
    return this.#race(() => this.#remote.setLogLevel(level), withinMs);
  }

  writeHeapSnapshot(file: string, withinMs: number): Promise<Outcome<string>> {
    return this.#race(() => this.#remote.writeHeapSnapshot(file), withinMs);
  }

  close(): void {
    this.#port.close();
  }

  async #race<T>(call: () => Promise<T>, withinMs: number): Promise<Outcome<T>> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<Outcome<T>>((resolve) => {
      timer = setTimeout(() => resolve({ outcome: 'timeout' }), withinMs);
    });
    const answer = call().then(
      (value): Outcome<T> => ({ outcome: 'reply', result: { ok: true, value } }),
      (error: unknown): Outcome<T> => ({ outcome: 'reply', result: { ok: false, failure: failureOf(error) } }),
    );
    try {
      return await Promise.race([answer, this.#closed, deadline]);
    } finally {
      clearTimeout(timer);
    }
  }
}
