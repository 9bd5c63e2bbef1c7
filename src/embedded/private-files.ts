import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Of 32 bytes, in characters that neither a URL nor SQL nor a configuration file quotes. */
export function newPassword(): string {
  return randomBytes(32).toString('base64url');
}

/** Null where there is no such file. */
export async function readPrivate(path: string): Promise<string | null> {
  return readFile(path, 'utf8').then(
    (text) => text.trim(),
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    },
  );
}

/** For its folder's owner alone, whole or not at all. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const fresh = `${path}.${process.pid}`;
  await writeFile(fresh, `${text}\n`, { mode: 0o600 });
  if (process.getuid?.() === 0) {
    // Started by root, Postgres runs as another user where it has no user namespace, and owns its folder then.
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
