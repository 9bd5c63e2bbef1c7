import { Client } from 'pg';
import { RotaError } from '../errors.ts';
import { connectFault, connectWithinMs, encodingFault, setUpFault } from './session-fault.ts';
import { databaseError } from './sql-states.ts';

/**
 * One connection of its own, for what is done once: migrations, plans, the way back. Whatever is wrong with the database as
 * it was set up shows here first, and is told in one sentence.
 *
 * @throws RotaError BAD_CONFIG (a person must change something), DATABASE_UNAVAILABLE (trying again may help), or what
 *   `work` throws.
 */
export async function inSession<T>(
  databaseUrl: string,
  work: (client: Client) => Promise<T>,
  { anyEncoding = false }: { readonly anyEncoding?: boolean } = {},
): Promise<T> {
  const client = clientOf(databaseUrl);
  // A connection that is lost is told by the statement that waits on it.
  client.on('error', () => {});
  try {
    await client.connect().catch((error: unknown) => {
      throw connectFault(error, client);
    });
    if (!anyEncoding) await requireUtf8(client);
    return await work(client);
  } catch (error) {
    throw error instanceof RotaError ? error : (setUpFault(error, client) ?? databaseError(error));
  } finally {
    await client.end().catch(() => {});
  }
}

/** It reads the certificates that the URL names. */
function clientOf(connectionString: string): Client {
  try {
    return new Client({
      connectionString,
      application_name: 'rota migrate',
      connectionTimeoutMillis: connectWithinMs,
    });
  } catch (cause) {
    throw new RotaError('BAD_CONFIG', `SCHEDULER_DB_URI cannot be used (${(cause as Error).message}): correct it`, {
      cause,
    });
  }
}

async function requireUtf8(client: Client): Promise<void> {
  const { rows } = await client.query<{ encoding: string }>("SELECT current_setting('server_encoding') AS encoding");
  const encoding = rows[0]!.encoding;
  if (encoding !== 'UTF8') throw encodingFault(client, encoding);
}
