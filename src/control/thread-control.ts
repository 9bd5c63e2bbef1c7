import type { StreamStatus } from '../events/source.ts';
import type { ServiceStatus } from '../kat/request.ts';
import type { LaneStatus } from '../mailbox/lane.ts';
import type { LogLevel } from '../protocol/operator.ts';
import type { LoopDelay } from '../telemetry/loop-delay.ts';

/** What an operator may ask of a running scheduler thread. Lives in that thread; called through comlink. */
export interface ThreadControl {
  status(): ThreadStatus;
  setLogLevel(level: LogLevel): void;
  /** Writes a heap snapshot for Chrome's tools; the thread stands still meanwhile. @returns the file's path */
  writeHeapSnapshot(file: string): string;
}

export interface ThreadStatus {
  /** One per kind of message. */
  readonly lanes: readonly LaneStatus[];
  readonly streams: readonly StreamStatus[];
  /** Katalogus, Octopoes and Bytes as this thread finds them: those that are set. */
  readonly services: readonly ServiceStatus[];
  readonly heapBytes: number;
  readonly loopDelay: LoopDelay;
  readonly logLevel: string;
  /** Requests to the supervisor without an answer yet, and replies that came after their deadline. */
  readonly requests: { readonly pending: number; readonly lateReplies: number };
}
