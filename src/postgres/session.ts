import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { within } from '../deadline.ts';
import { RotaError } from '../errors.ts';
import { clientOn, Dialer } from './dialer.ts';
import { type Dsn, readDsn, serversText } from './dsn.ts';
import { databaseError, type SqlStateRow, rowOf, sqlState } from './sql-states.ts';

/**
 * A separate connection for what is done once: migrations, plans, the way back. A fault in how the database was set up shows
 * here first, and is reported in one sentence. Statements may take hours: where one is silent for 20 s the server is asked
 * over a second connection whether it is there.
 *
 * @throws RotaError BAD_CONFIG (a person must change something), DATABASE_UNAVAILABLE (trying again may help), or what
 *   `work` throws.
 */
export async function inSession<T>(
  databaseUrl: string,
  work: (client: Client) => Promise<T>,
  { anyEncoding = false }: { readonly anyEncoding?: boolean } = {},
): Promise<T> {
  const dsn = readDsn(databaseUrl);
  const place = endpointOf(dsn);
  const open = () => openSession(dsn, place);
  const client = await open();
  try {
    await refusePooledTransactions(client, open);
    if (!anyEncoding) await requireUtf8(client, place);
    return await work(client);
  } catch (error) {
    throw error instanceof RotaError ? error : (setUpFault(error, place) ?? databaseError(error));
  } finally {
    await closeSession(client);
  }
}

async function openSession(dsn: Dsn, place: Endpoint): Promise<Client> {
  try {
    const client = clientOn(await new Dialer(dsn, null).dial(), dsn, 'rota migrate');
    await client.connect();
    return client;
  } catch (error) {
    throw error instanceof RotaError ? error : connectFault(error, place);
  }
}

/** A server that hangs does not answer the goodbye. */
async function closeSession(client: Client): Promise<void> {
  await within(client.end(), goodbyeMs).catch(() => client.connection.stream.destroy());
}

const goodbyeMs = 2_000;

function endpointOf(dsn: Dsn): Endpoint {
  const servers = serversText(dsn);
  const colon = servers.lastIndexOf(':');
  return {
    host: servers.slice(0, colon),
    port: Number(servers.slice(colon + 1)),
    database: dsn.database,
    user: dsn.user,
  };
}

async function requireUtf8(client: Client, place: Endpoint): Promise<void> {
  const { rows } = await client.query<{ encoding: string }>("SELECT current_setting('server_encoding') AS encoding");
  const encoding = rows[0]!.encoding;
  if (encoding !== 'UTF8') throw encodingFault(place, encoding);
}

/** Where a session goes. */
interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly database?: string | undefined;
  readonly user?: string | undefined;
}

const grants = (user: string) =>
  `make "${user}" the owner of the database, or grant it what is missing (of a schema: GRANT USAGE, CREATE ON SCHEMA public TO "${user}")`;

/** Where a session is, for a sentence: never a password. */
function endpointText({ host, port, database, user }: Endpoint): string {
  return `Postgres at ${host}:${port}, database "${database}", user "${user}"`;
}

/** Why there is no connection: one sentence with the place, the server's own reason and what to do. */
function connectFault(error: unknown, client: Endpoint): RotaError {
  return faultOf(rowOf(error) ?? unknown, client, error);
}

/** The same for what a statement fails at because of how the database was set up; null for anything else. */
export function setUpFault(error: unknown, client: Endpoint): RotaError | null {
  const state = sqlState(error);
  return state === '42501' || state === '25006' ? faultOf(rowOf(error)!, client, error) : null;
}

/** `\u` escapes beyond ASCII, and most names in KAT's data, cannot be stored in another encoding. */
function encodingFault(client: Endpoint, encoding: string): RotaError {
  const advice = `create one with ENCODING 'UTF8' TEMPLATE template0, and restore its dump there`;
  return new RotaError('BAD_CONFIG', `${endpointText(client)}: its encoding is ${encoding}; ${advice}`);
}

/** For an error of no server, driver or socket: Node could not even begin. */
const unknown = {
  advice: "look at the server's log, or correct SCHEDULER_DB_URI",
  atStart: 'temporary',
} as const satisfies Partial<SqlStateRow>;

function faultOf(
  { advice, atStart }: Pick<SqlStateRow, 'advice' | 'atStart'>,
  client: Endpoint,
  cause: unknown,
): RotaError {
  const code = atStart === 'configuration' ? 'BAD_CONFIG' : 'DATABASE_UNAVAILABLE';
  const whatToDo = sqlState(cause) === '42501' ? grants(client.user ?? '') : advice;
  return new RotaError(code, `${endpointText(client)}: ${reasonOf(cause)}; ${whatToDo}`, { cause });
}

/** Both addresses of a host may refuse: Node then lists their reasons. */
function reasonOf(error: unknown): string {
  const { message, errors } = error as { message?: string; errors?: readonly Error[] };
  const reason = errors?.map((one) => one.message).join(', ') ?? message ?? String(error);
  return reason.replaceAll('\n', ' ');
}

/** A pool of one server connection, held by a session, has none for a second client: nothing is shared then. */
const lookWithinMs = 3_000;

/**
 * A pooler between us and Postgres must give each client a server connection of its own for as long as it stays (pgbouncer's
 * pool_mode session): settings, prepared statements, cursors and advisory locks are a session's. A pooler that shares
 * connections by transaction starts well and wedges under load.
 *
 * It shares them if a second client sees the process of the first, or the first sees another one afterwards. Checked only
 * where the process that the login named is not the one that answers.
 *
 * @throws RotaError BAD_CONFIG
 */
async function refusePooledTransactions(client: Client, open: () => Promise<Client>): Promise<void> {
  const backend = await backendOf(client);
  const { processID } = client as unknown as { processID: number | null };
  if (backend === processID) return;
  const second = await open();
  try {
    const shared = await within(isShared(client, second, backend), lookWithinMs).catch(() => false);
    if (!shared) return;
  } finally {
    second.connection.stream.destroy();
  }
  throw new RotaError(
    'BAD_CONFIG',
    'SCHEDULER_DB_URI leads to a pooler that shares connections between transactions: set pool_mode = session for this ' +
      'database (pgbouncer), or name Postgres itself',
  );
}

/** The second client keeps the connection that it gets by a transaction, where the pooler allows one. */
async function isShared(client: Client, second: Client, backend: number): Promise<boolean> {
  const mark = randomUUID();
  await client.query("SELECT set_config('rota.mark', $1, false)", [mark]);
  try {
    await second.query('BEGIN');
  } catch {
    // pgbouncer's "statement" mode has none.
    return true;
  }
  if ((await backendOf(second)) === backend) return true;
  const { rows } = await client.query<{ mark: string | null }>("SELECT current_setting('rota.mark', true) AS mark");
  return rows[0]!.mark !== mark || (await backendOf(client)) !== backend;
}

async function backendOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]!.pid;
}
