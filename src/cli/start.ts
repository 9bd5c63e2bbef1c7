import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { type Config, readConfig } from '../config/config.ts';
import { errorCodes } from '../errors.ts';
import { actorsDirectory } from '../supervisor/catalog.ts';
import { emit, isHeard } from '../telemetry/events.ts';
import { port } from './arguments.ts';
import { addKatOptions, checkKatOptions, whole } from './demo/command.ts';
import type { DemoParts } from './demo/installation.ts';
import type { KatOptions } from './demo/run.ts';
import type { DevKat } from './dev-kat.ts';
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

/** `rota dev`: a whole Rota on this machine alone, and with `--kat` a simulated KAT that keeps it busy. */
export function devCommand(start: StartRota, parts: DemoParts): Command {
  const command = new Command('dev')
    .description('run on embedded Postgres and nats-server, with no other service on the machine')
    .option('--data <dir>', 'where they keep their data; created if absent, kept afterwards', devData)
    .option('--api-port <port>', 'port of the REST API', port, 8000)
    .option('--nats-port <port>', 'port of NATS', port, 4222)
    .option('--page-port <port>', 'port of the operations page', port, 8001)
    .option('--actors <folder>', moreActors, actorsWithOwn)
    .option('--json', 'print one line of JSON once it serves')
    .option('--kat', 'with a simulated KAT, whose events and workers never end; its size:');
  return addKatOptions(command, workers, 4)
    .addHelpText(
      'after',
      '\nExample:\n  rota dev --kat --organisations 20 --workers 8\n  rota dev --data ./data --api-port 18000 --nats-port 14222 --json',
    )
    .action(async (options: DevOptions) => {
      checkKatOptions(options);
      const data = resolve(options.data);
      const pageCode = randomBytes(24).toString('base64url');
      const own = options.actors === undefined ? {} : { actors: options.actors };
      const embedded = { data, natsPort: options.natsPort, pageCode, ...own };
      const kat = options.kat === true ? await startKat({ ...options, data }, parts) : null;
      const config = readConfig(environmentFor(options, kat));
      await runUntilSignal(withKat(start, kat, config), config, embedded, (rota) => {
        const { api, nats, db, page } = rota;
        if (options.json === true)
          return writeJson({ ready: true, api, nats, db, page, data, kat: kat?.shown ?? null });
        write(`${linesOf(rota, data, kat).join('\n')}\n`);
      });
    });
}

interface DevOptions extends KatOptions {
  readonly data: string;
  readonly apiPort: number;
  readonly natsPort: number;
  readonly pagePort: number;
  readonly actors?: readonly URL[];
  readonly json?: boolean;
  readonly kat?: boolean;
}

/** A scheduler without a worker would stand still: three at least, or none, for workers of one's own. */
function workers(text: string): number {
  const value = whole(0)(text);
  if (value === 0 || value >= 3) return value;
  throw new InvalidArgumentError('expected 0, or 3 or more: one for each scheduler');
}

/** Its modules would cost every other command a tenth of a second. */
async function startKat(options: KatOptions & { readonly data: string }, parts: DemoParts): Promise<DevKat> {
  return (await import('./dev-kat.ts')).startDevKat(options, parts);
}

const tokenVariables = ['SCHEDULER_API_TOKEN', 'SCHEDULER_API_TOKENS', 'SCHEDULER_API_TOKENS_FILE'];

/** Events come over the embedded NATS, unless the environment names a broker. */
function environmentFor(options: DevOptions, kat: DevKat | null): NodeJS.ProcessEnv {
  const { env } = process;
  return {
    ...env,
    ...(env['QUEUE_URI'] === undefined && env['SCHEDULER_EVENTS'] === undefined
      ? { SCHEDULER_EVENTS: 'jetstream' }
      : {}),
    ...kat?.environment,
    ...(kat === null || tokenVariables.every((name) => (env[name] ?? '') === '')
      ? {}
      : { SCHEDULER_API_TOKENS: [env['SCHEDULER_API_TOKENS'] ?? '', kat.tokenLine].join(',') }),
    SCHEDULER_DB_URI: undefined,
    SCHEDULER_DB_DSN: undefined,
    NATS_URL: undefined,
    SCHEDULER_API_HOST: '127.0.0.1',
    SCHEDULER_API_PORT: String(options.apiPort),
    SCHEDULER_PAGE_HOST: '127.0.0.1',
    SCHEDULER_PAGE_PORT: String(options.pagePort),
  };
}

/** Rota first, then its KAT; at the end the KAT's workers first, so that they end what they have in hand. */
function withKat(start: StartRota, kat: DevKat | null, { SCHEDULER_NATS_PREFIX: prefix }: Config): StartRota {
  if (kat === null) return start;
  return async (config: Config, options: StartOptions) => {
    const rota = await start(config, options).catch(async (error: unknown) => {
      await kat.close();
      throw error;
    });
    const drain = async () => {
      await kat.stop();
      await rota.drain();
      await kat.close();
    };
    try {
      await kat.startTraffic(rota, prefix);
    } catch (error) {
      await drain();
      throw error;
    }
    return { ...rota, drain };
  };
}

function linesOf({ api, page, nats, db }: RunningRota, data: string, kat: DevKat | null): readonly string[] {
  return [
    'Rota serves',
    `  REST      ${api}  (docs: ${api}/docs)`,
    `  page      ${page}  (logs in once)`,
    `  NATS      ${nats}`,
    `  Postgres  ${db}`,
    `  data      ${data}`,
    ...(kat === null ? [] : [`  KAT       ${katOf(kat)}`]),
    "The passwords are this folder's own. In other shells:",
    `  export NATS_URL=$(cat ${data}/nats.url)`,
    `  psql "$(cat ${data}/postgres.url)"`,
    'Ctrl-C drains and ends it.',
  ];
}

function katOf({ shown: { organisations, workers: count, failing } }: DevKat): string {
  const those = organisations.length === 1 ? organisations[0]! : `${organisations[0]} to ${organisations.at(-1)}`;
  const fails = count > 0 && failing !== null ? `; boefje ${failing} always fails` : '';
  return `simulated: ${those}, ${count === 0 ? 'no' : count} workers${fails}`;
}

const moreActors = "more schedulers and rankers, beside Rota's own: a folder as docs/extending.md says";

/** Looked at when they are read, by src/supervisor/catalog.ts. */
function actorsWithOwn(folder: string): readonly URL[] {
  return [actorsDirectory, pathToFileURL(`${resolve(folder)}/`)];
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
