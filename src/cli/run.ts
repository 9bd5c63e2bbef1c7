import type { Config } from '../config/config.ts';
import { errorCodes } from '../errors.ts';
import { guardProcess } from './process-guard.ts';

/** What a running Rota tells its command. */
export interface RunningRota {
  readonly api: string;
  readonly nats: string;
  readonly db: string;
  /** Events stop, mailboxes empty, pushes in flight commit, pops are answered; then everything is closed. */
  drain(): Promise<void>;
}

export interface StartOptions {
  /** Where embedded services keep their data; a folder beside the checkout where absent. */
  readonly data?: string;
  readonly natsPort?: number;
  /** Gives up the start; what was started by then is ended. */
  readonly signal?: AbortSignal;
  /** What an operator's `drain` calls: ends the process as a signal would. */
  readonly stop?: () => void;
  /** Folder of the schedulers and their rankers; this checkout's own where absent. */
  readonly actors?: URL;
}

export type StartRota = (config: Config, options: StartOptions) => Promise<RunningRota>;

/**
 * Runs until SIGTERM, SIGINT or SIGHUP (its terminal was closed), drains, and exits 0. A second signal stops at once. An
 * uncaught exception drains, too, and exits 70.
 */
export async function runUntilSignal(
  start: StartRota,
  config: Config,
  options: StartOptions,
  ready?: (rota: RunningRota) => void,
): Promise<void> {
  // Listening before anything starts: a signal during the start, which may wait for NATS for ever, gives it up.
  const stopping = new AbortController();
  const asked = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()));
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1;
    // Closing a terminal sends SIGHUP, often twice: the shell's and the kernel's.
    if (signals > 1 && signal !== 'SIGHUP') process.exit(signal === 'SIGINT' ? 130 : 143);
    stopping.abort();
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal);
  const stop = () => stopping.abort();
  let exitCode = 0;
  guardProcess(() => {
    exitCode = errorCodes.BROKEN.exit;
    stop();
  });
  const rota = await start(config, { ...options, signal: stopping.signal, stop }).catch((error: unknown) => {
    if (stopping.signal.aborted) process.exit(exitCode);
    throw error;
  });
  ready?.(rota);
  await asked;
  await rota.drain();
  process.exit(exitCode);
}
