import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { RotaError } from '../../errors.ts';
import { lockSchema, runEach } from './schema-lock.ts';
import { inSession } from '../../postgres/session.ts';

const statements = new URL('../../../sql/back-to-mula.sql', import.meta.url);

/**
 * Gives the database back to mula (sql/back-to-mula.sql). Can be run again; a later start of Rota takes over what mula
 * did.
 * @throws RotaError CONFLICT while a supervisor is connected, SCHEMA_UNKNOWN; what `inSession` throws
 */
export async function giveBackToMula(databaseUrl: string): Promise<void> {
  const giveBack = async (client: Client) => {
    await lockSchema(client);
    const { rows } = await client.query<{ ours: boolean }>(
      "SELECT to_regclass('queued_organisations') IS NOT NULL AS ours",
    );
    if (rows[0]?.ours !== true) {
      throw new RotaError('SCHEMA_UNKNOWN', 'the database is not one that this version of Rota has worked on');
    }
    await untilNobodyWorks(client);
    await runEach(client, await readFile(statements, 'utf8'));
  };
  // An older Rota took databases of any encoding: they can be given back.
  await inSession(databaseUrl, giveBack, { anyEncoding: true });
}

/** A process that has just ended leaves its sessions for a moment. */
async function untilNobodyWorks(client: Client): Promise<void> {
  for (let look = 1; ; look += 1) {
    const { rowCount } = await client.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND (application_name = 'rota' OR application_name LIKE 'rota (%')",
    );
    if (rowCount === 0) return;
    if (look === 5) {
      throw new RotaError('CONFLICT', `Rota works on this database (${rowCount} connections): stop it first`);
    }
    await delay(200);
  }
}
