import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { natsAuthOf, readConfig } from '../config/config.ts';
import { connectRota, type RotaClient } from '../nats/client.ts';
import { operatorsFor } from '../nats/operators.ts';
import type { BodyOf } from '../control/operations.ts';
import type { OperatorClient } from '../control/overview.ts';
import type { OperatorAnswers, OperatorCommandName } from '../protocol/operator.ts';
import { readNatsServers } from '../config/values.ts';
import { write, writeJson } from './terminal.ts';

/** A day. A timer of 2^31 ms or more would fire at once. */
const longestTimeoutSeconds = 86_400;

/** The default `--data` of `rota dev`, and the file in it with the URL of its NATS. */
export const devData = '.rota/dev';
const devNats = `${devData}/nats.url`;
let found: string | null = null;

function here(): string {
  return (found ??= readDevNats() ?? 'nats://127.0.0.1:4222');
}

/** Null also for a file that this account may not read: `--help` and commands without NATS call this too. */
function readDevNats(): string | null {
  try {
    return readFileSync(devNats, 'utf8').trim();
  } catch {
    return null;
  }
}

/** Options of every command that talks to a running Rota. */
export interface RemoteOptions {
  readonly nats: string;
  readonly prefix: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly json?: boolean;
}

/** A command that talks to a running Rota: with RemoteOptions, and an example below its help. */
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

/** Connects by the environment (NATS_CREDS, NATS_USER, …), runs `work`, and closes the connection. */
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

/** The operators' commands over `client`, in the name of this account. */
export function operators(client: RotaClient): OperatorClient {
  return {
    ask: (command, body, instance) => request(client, command, body, instance),
    instances: () => client.instances(),
  };
}

/** The same for who looks again and again: it remembers the supervisors, and misses one that ends without a word. */
export function watchingOperators(client: RotaClient): OperatorClient {
  return operatorsFor(client, null)({ by: account(), access: 'operate' });
}

/** Sends an operator's command to any supervisor, or to `instance`. */
export function request<K extends OperatorCommandName>(
  client: RotaClient,
  command: K,
  body: BodyOf<K>,
  instance?: string,
): Promise<OperatorAnswers[K]> {
  return client.ctl(command, body, { by: account(), ...(instance === undefined ? {} : { instance }) });
}

/** Writes an answer: for scripts a line of JSON, for people the text of `render`. */
export function print<T>(options: Pick<RemoteOptions, 'json'>, answer: T, render: (answer: T) => string): void {
  if (options.json === true) writeJson(answer);
  else write(`${render(answer)}\n`);
}

/** The author in the audit log. */
function account(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a uid without a name.
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
