import type { Client } from 'pg';
import { within } from '../deadline.ts';
import { RotaError } from '../errors.ts';
import { clientOn, Dialer } from './dialer.ts';
import { type Dsn, readDsn, serversText } from './dsn.ts';
import { refusePooledTransactions } from './pooler.ts';
import { connectFault, encodingFault, type Place, setUpFault } from './session-fault.ts';
import { databaseError } from './sql-states.ts';

/**
 * One connection of its own, for what is done once: migrations, plans, the way back. Whatever is wrong with the database as
 * it was set up shows here first, and is told in one sentence. Statements may take hours: where one is silent for 20 s the
 * server is asked over a second connection whether it is there.
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
  const place = placeIn(dsn);
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

async function openSession(dsn: Dsn, place: Place): Promise<Client> {
  try {
    const client = clientOn(await new Dialer(dsn, null).dial(), dsn, 'rota migrate');
    await client.connect();
    return client;
  } catch (error) {
    throw error instanceof RotaError ? error : connectFault(error, place);
  }
}

/** A server that hangs does not say goodbye. */
export async function closeSession(client: Client): Promise<void> {
  await within(client.end(), goodbyeMs).catch(() => client.connection.stream.destroy());
}

const goodbyeMs = 2_000;

function placeIn(dsn: Dsn): Place {
  const servers = serversText(dsn);
  const colon = servers.lastIndexOf(':');
  return {
    host: servers.slice(0, colon),
    port: Number(servers.slice(colon + 1)),
    database: dsn.database,
    user: dsn.user,
  };
}

async function requireUtf8(client: Client, place: Place): Promise<void> {
  const { rows } = await client.query<{ encoding: string }>("SELECT current_setting('server_encoding') AS encoding");
  const encoding = rows[0]!.encoding;
  if (encoding !== 'UTF8') throw encodingFault(place, encoding);
}
