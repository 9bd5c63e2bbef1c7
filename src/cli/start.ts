import { Command } from 'commander';
import { type Config, readConfig } from '../config/config.ts';
import { errorCodes } from '../errors.ts';
import { emit, isHeard } from '../telemetry/events.ts';
import { write } from './terminal.ts';

export function startCommand(start: StartRota): Command {
  return new Command('start')
    .description('run the supervisor, its actors, the NATS service and the REST API; configured by the environment')
    .addHelpText('after', '\nExample:\n  SCHEDULER_DB_URI=postgres://… NATS_URL=nats://… rota start')
    .action(async () => {
      await runUntilSignal(start, readConfig(process.env), {});
    });
}

/** A running Rota: its URLs, and how to end it. */
export interface RunningRota {
  readonly api: string;
  readonly nats: string;
  readonly db: string;
  /** The operations page; in `rota dev` a link that logs in once. Null where none is configured. */
  readonly page: string | null;
  /** Events stop, mailboxes empty, pushes in flight commit, pops are answered; then everything is closed. */
  drain(): Promise<void>;
}

export interface StartOptions {
  /** Folder of the embedded services' data; by default a folder beside the checkout. */
  readonly data?: string;
  readonly natsPort?: number;
  /** Aborts the start, and stops what has started. */
  readonly signal?: AbortSignal;
  /** Ends the process as a signal does; an operator's `drain` calls it. */
  readonly stop?: () => void;
  /** A code that logs in to the page once, as an operator. */
  readonly pageCode?: string;
  /** Folder of the schedulers and their rankers; by default this checkout's. */
  readonly actors?: URL;
}

export type StartRota = (config: Config, options: StartOptions) => Promise<RunningRota>;

/**
 * Runs until SIGTERM, SIGINT or SIGHUP (the terminal closed), drains, and exits 0. A second signal exits at once. An uncaught
 * exception also drains, and exits 70.
 */
export async function runUntilSignal<Running extends Pick<RunningRota, 'drain'>>(
  start: (config: Config, options: StartOptions) => Promise<Running>,
  config: Config,
  options: StartOptions,
  ready?: (rota: Running) => void,
): Promise<void> {
  // The handlers come first: a signal aborts the start too, which may wait for NATS for ever.
  const stopping = new AbortController();
  const asked = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()));
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1;
    // Closing a terminal often sends SIGHUP twice: from the shell and from the kernel.
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

/**
 * Handles what no other handler caught. An unhandled rejection concerns one piece of work: it is logged and counted, and the
 * process goes on, since one request must not end it for all others. An uncaught exception leaves the state of the process in
 * doubt: `inDoubt` drains it. Actors' threads need no guard: either fault ends only the thread, and the supervisor starts
 * another.
 */
function guardProcess(inDoubt: () => void): void {
  process.on('unhandledRejection', (error) => report('rejection', error));
  process.on('uncaughtException', (error) => {
    report('exception', error);
    inDoubt();
  });
}

function report(kind: 'rejection' | 'exception', error: unknown): void {
  // The log is not open yet, or already closed.
  if (!isHeard('error.uncaught')) write(`${kind}: ${error instanceof Error ? error.stack : String(error)}\n`, 'err');
  emit({ name: 'error.uncaught', kind, error });
}
