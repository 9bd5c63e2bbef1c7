import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Downloaded programs live beside the checkout, out of git. */
const shelf = fileURLToPath(new URL('../../.rota/bin/', import.meta.url));

/**
 * Downloads Debian packages with apt and unpacks them, without root and without installing: answers the folder that now
 * holds their `usr/…`. Done once; a second call finds the folder.
 *
 * @throws where there is no apt, or the packages cannot be fetched.
 */
export async function unpackDebian(name: string, packages: readonly string[]): Promise<string> {
  const target = join(shelf, name);
  if (
    await stat(target).then(
      () => true,
      () => false,
    )
  )
    return target;
  await mkdir(shelf, { recursive: true });
  const staging = await mkdtemp(join(shelf, `${name}-`));
  try {
    const download = () => run('apt-get', ['download', ...packages], { cwd: staging });
    // A fresh image has no package lists; only root may fetch them.
    await download().catch(async () => {
      await run('apt-get', ['update']);
      await download();
    });
    for (const file of await readdir(staging)) {
      if (!file.endsWith('.deb')) continue;
      await run('dpkg', ['-x', join(staging, file), staging]);
      await rm(join(staging, file));
    }
    // Two processes may race: the loser finds the folder in place and uses it.
    await rename(staging, target).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    return target;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}
