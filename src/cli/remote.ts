import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { natsAuthOf, readConfig } from '../config/config.ts';
import { connectRota, type RotaClient } from '../nats/client.ts';
import { readNatsServers } from '../config/values.ts';
import { write, writeJson } from './terminal.ts';

/** A day. A timer of 2^31 ms or more would end at once. */
const longestTimeoutSeconds = 86_400;

/** Where `rota dev` keeps its data unless told otherwise, and the file there that says how to reach its NATS. */
export const devData = '.rota/dev';
const devNats = `${devData}/nats.url`;
let found: string | null = null;

function here(): string {
  return (found ??= readDevNats() ?? 'nats://127.0.0.1:4222');
}

/** Null also where the file is another account's: commands that need no NATS, `--help` among them, ask for this too. */
function readDevNats(): string | null {
  try {
    return readFileSync(devNats, 'utf8').trim();
  } catch {
    return null;
  }
}

/** What every command that talks to a running Rota takes. */
export interface RemoteOptions {
  readonly nats: string;
  readonly prefix: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly json?: boolean;
}

/** A command that talks to a running Rota, with the options that all of those have and an example under its help. */
export function remoteCommand(name: string, description: string, example: string): Command {
  return new Command(name)
    .description(description)
    .addOption(
      new Option('--nats <url>', 'NATS that the supervisors are on')
        .env('NATS_URL')
        .default(here(), 'that of a `rota dev` in this folder, else nats://127.0.0.1:4222')
        .argParser(natsUrl),
    )
    .addOption(
      new Option('--prefix <prefix>', 'subject prefix of the installation')
        .env('SCHEDULER_NATS_PREFIX')
        .default('rota'),
    )
    .addOption(
      new Option('--timeout <seconds>', 'how long an answer may take').default(10_000, '10').argParser(seconds),
    )
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExample:\n  ${example}`);
}

/** Connects as the environment says (NATS_CREDS, NATS_USER, …), hands over a client and closes it whatever happens. */
export async function withRota<T>(options: RemoteOptions, work: (client: RotaClient) => Promise<T>): Promise<T> {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^NATS_(?!URL)/.test(name)));
  const client = await connectRota({
    servers: options.nats,
    prefix: options.prefix,
    timeoutMs: options.timeout,
    name: 'rota command line',
    auth: natsAuthOf(readConfig(own)),
  });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Sends one command to whichever supervisor is free, or to the named one. */
export function tell<T>(client: RotaClient, command: string, body: object = {}, instance?: string): Promise<T> {
  return client.ctl<T>(command, body, { by: me(), ...(instance === undefined ? {} : { instance }) });
}

/** Writes an answer: one line of JSON for scripts, else what `render` makes of it for people. */
export function print<T>(options: Pick<RemoteOptions, 'json'>, answer: T, render: (answer: T) => string): void {
  if (options.json === true) writeJson(answer);
  else write(`${render(answer)}\n`);
}

/** For the audit log. */
function me(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that has no name.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

function natsUrl(given: string): string {
  const servers = readNatsServers(given);
  if (servers === null) throw new InvalidArgumentError('expected a URL such as nats://host:4222.');
  return servers;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= longestTimeoutSeconds))
    throw new InvalidArgumentError(`expected a number of seconds above 0, ${longestTimeoutSeconds} at most.`);
  return value * 1_000;
}
