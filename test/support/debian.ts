import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { access, chmod, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv, promisify } from 'node:util';
import { unpackDebian } from '../../src/embedded/process.ts';

const exec = promisify(execFile);
const shelf = fileURLToPath(new URL('../../.rota/bin/', import.meta.url));
const suite = 'bookworm';

/** What Rota's package depends on, the servers and commands of docs/debian.md, and systemd for its unit. */
const packages = ['adduser', 'ca-certificates', 'libatomic1', 'libstdc++6', 'nats-server', 'sudo', 'systemd'];

/** Output of both streams, in the order in which it came. */
interface Ended {
  readonly code: number | null;
  readonly output: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

/** A small Debian in a folder, with the network and the processes of this machine. */
export interface Debian {
  readonly root: string;
  /** As root, in one shell after another. */
  run(command: string): Promise<Ended>;
  /** The main process of a unit, as its user, with its environment, and with a file system that is read-only but for its cache. */
  start(unit: string): Promise<Running>;
  read(path: string): Promise<string>;
  exists(path: string): Promise<boolean>;
  remove(): Promise<void>;
}

/**
 * For `describe.skipIf(await noDebian())`. Says why in one sentence.
 *
 * @throws where the test must not be skipped: .ci/run sets ROTA_REQUIRE_DEBIAN.
 */
export async function noDebian(find: () => Promise<unknown> = findDebian): Promise<boolean> {
  try {
    await find();
    return false;
  } catch (error) {
    if ((process.env['ROTA_REQUIRE_DEBIAN'] ?? '') !== '') throw error;
    console.warn(`The test of the Debian package is skipped: ${(error as Error).message.split('\n')[0]}`);
    return true;
  }
}

/**
 * Debian beside the checkout, made once by debootstrap: 60 MB to fetch, 330 MB on disk, a minute.
 *
 * @throws where this process is not root, or there is no apt, or no mount.
 */
export async function findDebian(): Promise<string> {
  if (process.getuid?.() !== 0) throw new Error('it needs root, for chroot');
  await exec('unshare', ['--mount', 'true']).catch(() => {
    throw new Error('it needs a mount namespace (unshare --mount), which this machine does not give');
  });
  const target = join(shelf, `debian-${suite}`);
  if (await exists(target)) return target;
  const tools = await unpackDebian('debootstrap', ['debootstrap', 'debian-archive-keyring']);
  const staging = await mkdtemp(join(shelf, 'debian-'));
  try {
    await exec(
      'sh',
      [
        join(tools, 'usr/sbin/debootstrap'),
        '--variant=minbase',
        `--keyring=${join(tools, 'usr/share/keyrings/debian-archive-keyring.gpg')}`,
        `--include=${packages.join(',')}`,
        suite,
        staging,
      ],
      {
        env: { ...process.env, DEBOOTSTRAP_DIR: join(tools, 'usr/share/debootstrap') },
        timeout: 600_000,
        maxBuffer: 2 ** 26,
      },
    );
    // Two processes may race: the loser finds the folder in place and uses it.
    await rename(staging, target).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    return target;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

export async function openDebian(): Promise<Debian> {
  const pristine = await findDebian();
  const root = await mkdtemp(join(tmpdir(), 'rota-debian-'));
  await exec('cp', ['-a', '--reflink=auto', `${pristine}/.`, root]);
  await chmod(root, 0o755);
  // sudo looks up the machine's own name.
  await writeFile(join(root, 'etc/hosts'), `127.0.0.1 localhost ${hostname()}\n`);
  const path = (file: string) => join(root, file);
  return {
    root,
    read: (file) => readFile(path(file), 'utf8'),
    exists: (file) => exists(path(file)),
    async run(command) {
      // A private namespace: the mount ends with the command.
      const script = 'mount --bind /proc "$0/proc" && exec chroot "$0" /bin/bash -c "$1"';
      const running = follow(spawn('unshare', ['--mount', 'sh', '-c', script, root, command], { env: plain }));
      return { code: await running.ended, output: running.output() };
    },
    async start(unit) {
      const text = await readFile(path(`usr/lib/systemd/system/${unit}.service`), 'utf8').catch(() =>
        readFile(path(`lib/systemd/system/${unit}.service`), 'utf8'),
      );
      const all = (name: string) => [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value!);
      const [user, command, file, cache] = ['User', 'ExecStart', 'EnvironmentFile', 'CacheDirectory'].map(
        (name) => all(name)[0],
      );
      const environment = {
        ...plain,
        ...Object.fromEntries(all('Environment').flatMap((line) => line.split(' ').map((entry) => entry.split('=')))),
        ...(file === undefined ? {} : parseEnv(await readFile(path(file), 'utf8'))),
      };
      if (cache !== undefined)
        await exec('chroot', [root, 'install', '-d', '-o', user!, '-g', user!, `/var/cache/${cache}`]);
      const script = [
        'mount --bind "$0" "$0" && cd "$0" && mount --bind /proc proc && mount -t tmpfs tmpfs tmp',
        ...(cache === undefined ? [] : [`mount --bind var/cache/${cache} var/cache/${cache}`]),
        'mount -o remount,bind,ro "$0"',
        `exec chroot "$0" setpriv --reuid=${user} --regid=${user} --init-groups --no-new-privs --bounding-set=-all ${command}`,
      ].join(' && ');
      return follow(spawn('unshare', ['--mount', 'sh', '-c', script, root], { env: environment }));
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

const plain = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };

function follow(child: ChildProcess): Running {
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const endWithUs = () => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  const ended = new Promise<number | null>((resolve) =>
    child.once('close', (code) => {
      process.off('exit', endWithUs);
      resolve(code);
    }),
  );
  return { child, output: () => output, ended };
}

/** The same package under a higher version, as a release would be. */
export async function raised(deb: string, version: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rota-raised-'));
  try {
    const tree = join(directory, 'tree');
    await exec('dpkg-deb', ['--raw-extract', deb, tree]);
    await exec('sed', ['-i', `s/^Version: .*/Version: ${version}/`, join(tree, 'DEBIAN/control')]);
    await exec('sed', [
      '-i',
      `s/^  "version": .*/  "version": "${version}",/`,
      join(tree, 'usr/lib/rota/package.json'),
    ]);
    const target = deb.replace(/_[^_]+_/, `_${version}_`);
    await exec('dpkg-deb', ['-Znone', '--root-owner-group', '--build', tree, target], { maxBuffer: 2 ** 26 });
    return target;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
