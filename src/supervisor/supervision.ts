import type { ThreadStatus } from './thread-control.ts';
import type { Result } from '../mailbox/failure.ts';
import type { Outcome } from '../mailbox/ref.ts';
import type { SupervisorCommand } from '../protocol/commands.ts';
import type { LogLevel } from '../protocol/operator-status.ts';

/** The supervisor as the edges know it. An unknown actor's name rejects with NOT_FOUND, which lists the known ones. */
export interface Supervision {
  status(): readonly ActorStatus[];
  /** The view from within the actor's thread; `terminated` where there is none now. */
  inspect(actor: string): Promise<Outcome<ThreadStatus>>;
  setLogLevel(actor: string, level: LogLevel): Promise<Outcome<void>>;
  /** Of the actor's thread, into a new file of this machine's temporary folder. @returns its path */
  writeHeapSnapshot(actor: string): Promise<Outcome<string>>;
  /** Waits for the actor's answer to a command. */
  ask<T>(actor: string, command: SupervisorCommand, withinMs: number): Promise<Outcome<T>>;
  /** Resolves when the mailbox has accepted the command, or with the reason why it has not. */
  send(actor: string, command: SupervisorCommand): Promise<Result<undefined>>;
  /** Drains the actor for a few seconds at most, then starts it in a new thread. */
  restart(actor: string): Promise<void>;
  /** Ends its thread like a crash: back-off and intensity apply. For drills. */
  kill(actor: string): Promise<void>;
}

/**
 * - starting: its thread has not answered a ping yet;
 * - restarting: it failed and waits for its back-off;
 * - down: it failed too often and is tried once a minute.
 */
export type ActorPhase = 'starting' | 'running' | 'restarting' | 'down' | 'draining' | 'stopped';

export interface ActorStatus {
  readonly name: string;
  readonly phase: ActorPhase;
  readonly phaseSeconds: number;
  /** Threads started after the first one. */
  readonly restarts: number;
  /** Epoch milliseconds of the next start, where one is due. */
  readonly retryAt: number | null;
  readonly lastFailure: { readonly code: string; readonly message: string } | null;
}
