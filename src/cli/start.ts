import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { type Config, readConfig } from '../config/config.ts';
import { errorCodes } from '../errors.ts';
import { actorsDirectory } from '../supervisor/catalog.ts';
import { emit, isHeard } from '../telemetry/events.ts';
import { devData } from './remote.ts';
import { write, writeJson } from './terminal.ts';

export function startCommand(start: StartRota): Command {
  return new Command('start')
    .description('run the supervisor, its actors, the NATS service and the REST API; configured by the environment')
    .option('--actors <folder>', moreActors, actorsWithOwn)
    .addHelpText('after', '\nExample:\n  SCHEDULER_DB_URI=postgres://… NATS_URL=nats://… rota start --actors ./actors')
    .action(async ({ actors }: { actors?: readonly URL[] }) => {
      await runUntilSignal(start, readConfig(process.env), actors === undefined ? {} : { actors });
    });
}

export function devCommand(start: StartRota): Command {
  return new Command('dev')
    .description('run on embedded Postgres and nats-server, with no other service on the machine')
    .option('--data <dir>', 'where they keep their data; created if absent, kept afterwards', devData)
    .option('--api-port <port>', 'port of the REST API', port, 8000)
    .option('--nats-port <port>', 'port of NATS', port, 4222)
    .option('--page-port <port>', 'port of the operations page', port, 8001)
    .option('--actors <folder>', moreActors, actorsWithOwn)
    .option('--json', 'print one line of JSON once it serves')
    .addHelpText('after', '\nExample:\n  rota dev --data ./data --api-port 18000 --nats-port 14222 --json')
    .action(async (options: DevOptions) => {
      const config = readConfig({
        ...process.env,
        SCHEDULER_DB_URI: undefined,
        SCHEDULER_DB_DSN: undefined,
        NATS_URL: undefined,
        SCHEDULER_API_HOST: '127.0.0.1',
        SCHEDULER_API_PORT: String(options.apiPort),
        SCHEDULER_PAGE_HOST: '127.0.0.1',
        SCHEDULER_PAGE_PORT: String(options.pagePort),
      });
      const pageCode = randomBytes(24).toString('base64url');
      const embedded = {
        data: resolve(options.data),
        natsPort: options.natsPort,
        pageCode,
        ...(options.actors === undefined ? {} : { actors: options.actors }),
      };
      await runUntilSignal(start, config, embedded, (rota) => {
        const { api, nats, db, page } = rota;
        if (options.json === true) return writeJson({ ready: true, api, nats, db, page });
        const data = resolve(options.data);
        const lines = [
          'Rota serves',
          `  REST      ${api}  (docs: ${api}/docs)`,
          `  page      ${page}  (logs in once)`,
          `  NATS      ${nats}`,
          `  Postgres  ${db}`,
          `  data      ${data}`,
          "The passwords are this folder's own. In other shells:",
          `  export NATS_URL=$(cat ${data}/nats.url)`,
          `  psql "$(cat ${data}/postgres.url)"`,
          'Ctrl-C drains and ends it.',
        ];
        write(`${lines.join('\n')}\n`);
      });
    });
}

interface DevOptions {
  readonly data: string;
  readonly apiPort: number;
  readonly natsPort: number;
  readonly pagePort: number;
  readonly actors?: readonly URL[];
  readonly json?: boolean;
}

const moreActors = "more schedulers and rankers, beside Rota's own: a folder as docs/extending.md says";

/** Looked at when they are read, by src/supervisor/catalog.ts. */
function actorsWithOwn(folder: string): readonly URL[] {
  return [actorsDirectory, pathToFileURL(`${resolve(folder)}/`)];
}

export function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('expected a port, 0 to 65535');
  return value;
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
  /** Folders of schedulers and rankers, each with a slash at its end; by default Rota's own alone. */
  readonly actors?: readonly URL[];
}

export type StartRota = (config: Config, options: StartOptions) => Promise<RunningRota>;

/** At Ctrl-C a terminal sends SIGINT to all its processes, and `npx` passes its own on: within this time that is one. */
const passedOnWithinMs = 300;

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
  let interruptedAt = Number.NEGATIVE_INFINITY;
  const onSignal = (signal: NodeJS.Signals) => {
    const isPassedOn = signal === 'SIGINT' && performance.now() - interruptedAt < passedOnWithinMs;
    if (isPassedOn) return;
    if (signal === 'SIGINT') interruptedAt = performance.now();
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
