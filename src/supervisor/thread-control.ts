import type { MessagePort } from 'node:worker_threads';
import * as Comlink from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { within } from '../deadline.ts';
import type { StreamStatus } from '../events/source.ts';
import type { ServiceStatus } from '../kat/request.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { LaneStatus } from '../mailbox/lane.ts';
import type { Outcome } from '../mailbox/ref.ts';
import type { LogLevel } from '../protocol/operator-status.ts';
import type { LoopDelay } from '../telemetry/loop-delay.ts';

/** An operator's requests to a running scheduler thread. Lives in that thread; called through comlink. */
interface ThreadControl {
  status(): ThreadStatus;
  setLogLevel(level: LogLevel): void;
  /** Writes a heap snapshot for Chrome's tools; the thread stops meanwhile. @returns the file's path */
  writeHeapSnapshot(file: string): string;
}

export interface ThreadStatus {
  /** One per kind of message. */
  readonly lanes: readonly LaneStatus[];
  readonly streams: readonly StreamStatus[];
  /** Katalogus, Octopoes and Bytes as this thread finds them; those that are configured. */
  readonly services: readonly ServiceStatus[];
  readonly heapBytes: number;
  readonly loopDelay: LoopDelay;
  readonly logLevel: string;
  /** Requests to the supervisor without an answer yet, and replies after their deadline. */
  readonly requests: { readonly pending: number; readonly lateReplies: number };
}

/** Serves the operator's view of this thread on a port of its own, never the mailbox's. */
export function serveControl(port: MessagePort, control: ThreadControl): void {
  Comlink.expose(control, nodeEndpoint(port));
}

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

  #race<T>(call: () => Promise<T>, withinMs: number): Promise<Outcome<T>> {
    const answer = call().then(
      (value): Outcome<T> => ({ outcome: 'reply', result: { ok: true, value } }),
      (error: unknown): Outcome<T> => ({ outcome: 'reply', result: { ok: false, failure: failureOf(error) } }),
    );
    return within(Promise.race([answer, this.#closed]), withinMs).catch(() => ({ outcome: 'timeout' }));
  }
}
