import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RotaError } from '../errors.ts';
import { newPassword, readPrivate, writePrivate } from './private-files.ts';

/** Loopback, which everybody with an account on the machine reaches: a superuser of Postgres may run programs. */
const rules = [
  '# Written by Rota (src/embedded). The password stands in rota.password beside this file.',
  'host all all 127.0.0.1/32 scram-sha-256',
  'host replication all 127.0.0.1/32 scram-sha-256',
].join('\n');
/** As initdb made them for us before, and makes them now. */
const trusting = /^[ \t]*(?:local|host\w*)[ \t]+all[ \t]+all[ \t].*\btrust\b/m;

/**
 * The password of the role `rota`. A cluster that is new, or of the time when it let everybody in, gets one, in its own
 * folder so that a copy of the folder has it too.
 *
 * @param single runs one statement while no server runs.
 */
export async function passwordOf(cluster: string, single: (sql: string) => Promise<void>): Promise<string> {
  const file = join(cluster, 'rota.password');
  const access = join(cluster, 'pg_hba.conf');
  const kept = await readPrivate(file);
  if (kept !== null && kept !== '' && !trusting.test(await readFile(access, 'utf8'))) return kept;
  const password = newPassword();
  await single(`ALTER ROLE rota PASSWORD '${password}'`);
  await writePrivate(file, password);
  // Last: until then the next start does all of this again.
  await writePrivate(access, rules);
  return password;
}

/** What Postgres said of the statement: its exit code is 0 even where it failed. @throws RotaError BROKEN */
export function requireDone(output: string): void {
  const fault = /\b(?:ERROR|FATAL|PANIC): .*/.exec(output);
  if (fault !== null) throw new RotaError('BROKEN', `the embedded Postgres takes no password: ${fault[0]}`);
}
