import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RotaError } from '../errors.ts';

/** The password of a service, in a file of its folder: clients go on after a restart, and a copy of the folder has it too. */
export async function keptPassword(folder: string): Promise<string> {
  const kept = await readPassword(folder);
  if (kept !== null) return kept;
  const password = newPassword();
  await writePrivate(passwordFile(folder), password);
  return password;
}

const passwordFile = (folder: string) => join(folder, 'rota.password');

/** Null where there is none yet. */
async function readPassword(folder: string): Promise<string | null> {
  return readFile(passwordFile(folder), 'utf8').then(
    (text) => text.trim() || null,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    },
  );
}

/**
 * Of 32 bytes, in characters that neither a URL nor SQL nor a configuration file quotes. A letter comes first: NATS's library for
 * JavaScript takes `user:8` in a URL for a port.
 */
function newPassword(): string {
  return `p${randomBytes(32).toString('base64url')}`;
}

/** Every account on the machine reaches loopback, and a superuser of Postgres may run programs: no access without a password. */
const rules = [
  '# Written by Rota (src/embedded). The password stands in rota.password beside this file.',
  'host all all 127.0.0.1/32 scram-sha-256',
  'host replication all 127.0.0.1/32 scram-sha-256',
].join('\n');
/** As initdb writes them with `-A trust`. */
const trusting = /^[ \t]*(?:local|host\w*)[ \t]+all[ \t]+all[ \t].*\btrust\b/m;

/**
 * The password of the role `rota`. A cluster that is new, or still trusts every client, gets one.
 *
 * @param single runs one statement while no server runs.
 */
export async function postgresPassword(cluster: string, single: (sql: string) => Promise<void>): Promise<string> {
  const access = join(cluster, 'pg_hba.conf');
  const kept = await readPassword(cluster);
  if (kept !== null && !trusting.test(await readFile(access, 'utf8'))) return kept;
  const password = newPassword();
  await single(`ALTER ROLE rota PASSWORD '${password}'`);
  await writePrivate(passwordFile(cluster), password);
  // Written last: a start that ends before it is repeated by the next one.
  await writePrivate(access, rules);
  return password;
}

/** Checks Postgres' output: its exit code is 0 even where the statement failed. @throws RotaError BROKEN */
export function requireDone(output: string): void {
  const fault = /\b(?:ERROR|FATAL|PANIC): .*/.exec(output);
  if (fault !== null) throw new RotaError('BROKEN', `the embedded Postgres takes no password: ${fault[0]}`);
}

/** Writes a file that only its folder's owner reads, whole or not at all. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const fresh = `${path}.${process.pid}`;
  await writeFile(fresh, `${text}\n`, { mode: 0o600 });
  if (process.getuid?.() === 0) {
    // Under root without user namespaces, Postgres runs as another user, who owns the folder.
    const { uid, gid } = await stat(dirname(path));
    await chown(fresh, uid, gid);
  }
  await rename(fresh, path);
}

/** Made if absent; closed to other users, also where it existed. */
export async function privateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
}
