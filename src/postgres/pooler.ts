import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { within } from '../deadline.ts';
import { RotaError } from '../errors.ts';

/** Milliseconds. A pool of one server connection, held by a session, has none for a second client: nothing is shared then. */
const lookWithinMs = 3_000;

/**
 * A pooler between us and Postgres must give each client a server connection of its own for as long as it stays ("session" to
 * pgbouncer): settings, prepared statements, cursors and advisory locks are a session's. One that deals them out by
 * transaction starts well and wedges under load.
 *
 * Told apart by what a second client sees: the process of the first, or the first sees another one afterwards. Asked only
 * where the process that the login named is not the one that answers.
 *
 * @throws RotaError BAD_CONFIG
 */
export async function refusePooledTransactions(client: Client, open: () => Promise<Client>): Promise<void> {
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

/** The second one holds the connection that it is given, where there are transactions to hold it by. */
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
