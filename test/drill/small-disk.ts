import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, rmdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../src/embedded/process.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';

const run = promisify(execFile);
const sizeMb = 120;

/** Only root may mount. */
export async function unableToMount(): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), 'rota-mount-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
    await run('umount', [folder]);
    return null;
  } catch {
    return 'a small file system can only be mounted by root';
  } finally {
    await rmdir(folder).catch(() => {});
  }
}

/**
 * Postgres' data on a file system of its own that can be filled. Its log stays on the large one: without room for that
 * Postgres ends itself, which is another fault.
 */
export async function smallFileSystem(directory: string, stack: AsyncDisposableStack): Promise<void> {
  const data = join(directory, 'postgres');
  await mkdir(data, { mode: 0o700 });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m,mode=700`, 'tmpfs', data]);
  stack.defer(() => run('umount', ['--lazy', data]).then(() => {}));
  const first = await startPostgres({ directory, port: await freePort(), settings: { shared_buffers: '32MB' } });
  await first.stop();
  const log = join(directory, 'pg_wal');
  await run('cp', ['-a', join(data, 'pg_wal'), log]);
  await rm(join(data, 'pg_wal'), { recursive: true });
  await symlink(log, join(data, 'pg_wal'));
}

const ballast = (directory: string) => join(directory, 'postgres', 'ballast');

/** Takes all the room that is left. */
export async function fill(directory: string): Promise<void> {
  const file = await open(ballast(directory), 'w');
  const block = Buffer.alloc(64 * 1_024);
  try {
    for (;;) await file.appendFile(block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    await file.close();
  }
}

export async function free(directory: string): Promise<void> {
  await rm(ballast(directory));
}
