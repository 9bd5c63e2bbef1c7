import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { RotaError } from '../errors.ts';
import { databaseError } from './postgres.ts';
import { lockSchema, runEach } from './schema-lock.ts';

const statements = new URL('../../sql/back-to-mula.sql', import.meta.url);

/**
 * Gives the database back to mula (sql/back-to-mula.sql). Can be run again; a later start of Rota takes over what mula
 * did.
 * @throws RotaError CONFLICT while a supervisor is connected, SCHEMA_UNKNOWN, DATABASE_UNAVAILABLE
 */
export async function giveBackToMula(databaseUrl: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl, application_name: 'rota migrate' });
  client.on('error', () => {});
  try {
    await client.connect();
    await lockSchema(client);
    const { rows } = await client.query<{ ours: boolean; supervisors: number }>(
      `SELECT to_regclass('task_totals') IS NOT NULL AS ours,
         (SELECT count(*)::int FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'rota') AS supervisors`,
    );
    const { ours, supervisors } = rows[0]!;
    if (!ours) throw new RotaError('SCHEMA_UNKNOWN', 'the database is not one that this version of Rota has worked on');
    if (supervisors > 0) {
      throw new RotaError('CONFLICT', `Rota works on this database (${supervisors} connections): stop it first`);
    }
    await runEach(client, await readFile(statements, 'utf8'));
  } catch (error) {
    throw databaseError(error);
  } finally {
    await client.end().catch(() => {});
  }
}
