import { randomInt } from 'node:crypto';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { within } from '../deadline.ts';
import { RotaError } from '../errors.ts';

const run = promisify(execFile);

/**
 * A port of loopback that nothing listens on, below those that systems give to outgoing connections (32768 on Linux): one of these
 * may be in use again by the time that its server starts.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(10_000, 32_000);
    if (await isFree(port)) return port;
  }
  throw new RotaError('BAD_CONFIG', 'no free port among a hundred of 10000 to 32000 on 127.0.0.1');
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listens = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (listens) await new Promise((resolve) => server.close(resolve));
  return listens;
}

/** A child server that this process started, and ends by its process id. */
export interface Embedded {
  readonly url: string;
  readonly pid: number;
  /** Killed after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

/**
 * Spawns a server in a process group of its own, so that a Ctrl-C meant for us does not reach it before we have drained. It
 * ends with us unless we are killed by SIGKILL. Its last output is kept for the error of a failed start.
 */
export function startServer(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  // Postgres' fast shutdown, and nats-server's.
  const endWithUs = () => void child.kill('SIGINT');
  process.once('exit', endWithUs);
  child.once('exit', () => process.off('exit', endWithUs));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const failed = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`${command} ended at start (${signal ?? code}):\n${output.trim()}`)),
    );
  });
  failed.catch(() => {});
  return { child, exited, failed, output: () => output };
}

/** Signals a server and waits for its end; after `graceMs` it is killed. */
export async function stopServer(child: ChildProcess, signal: NodeJS.Signals, graceMs = 10_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  await within(exited, graceMs).catch(() => child.kill('SIGKILL'));
  await exited;
}

/** Tries until it succeeds or the server has failed; the pause between tries is for a server that is still starting. */
export async function untilReady(
  probe: () => Promise<boolean>,
  failed: Promise<never>,
  withinMs: number,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  const attempt = async () => {
    while (!(await probe().catch(() => false))) {
      if (performance.now() > deadline) throw new Error(`not ready within ${withinMs} ms`);
      await delay(25);
    }
  };
  await Promise.race([attempt(), failed]);
}

/**
 * Ends a server whose parent was killed: it listens on an unknown port, or on the one we want.
 *
 * @throws RotaError CONFLICT where the parent is alive: two that share a folder would end each other's servers forever.
 */
export async function endOrphan(pidFile: string, name: string): Promise<void> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0]);
  // The process id of a stale file may belong to another program by now: check before signalling.
  const isServer = async () => (await processOf(pid))?.command.startsWith(name) === true;
  if (!Number.isInteger(pid) || pid <= 0 || !(await isServer())) return;
  const parent = (await processOf(pid))?.parent ?? 0;
  if (parent > 1 && parent !== process.pid && (await processOf(parent))?.command.startsWith('node') === true) {
    throw new RotaError(
      'CONFLICT',
      `process ${parent} uses the ${name} of this data folder: end it, or name another folder`,
    );
  }
  process.kill(pid, 'SIGINT');
  const deadline = performance.now() + 15_000;
  while (performance.now() < deadline && (await isServer())) await delay(50);
}

/** Linux names Node's main thread `node-MainThread`, macOS answers the path of the program. */
async function processOf(pid: number): Promise<{ parent: number; command: string } | null> {
  const ps = run('ps', ['-o', 'ppid=,comm=', '-p', String(pid)]);
  const line = (await ps.catch(() => ({ stdout: '' }))).stdout.trim();
  const space = line.indexOf(' ');
  return space === -1 ? null : { parent: Number(line.slice(0, space)), command: basename(line.slice(space).trim()) };
}

/** Downloaded programs are kept beside the checkout, out of git; those of an installed package where its next version finds them. */
const shelf = import.meta.dirname.includes('/node_modules/')
  ? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'rota/bin')
  : fileURLToPath(new URL('../../.rota/bin/', import.meta.url));

/** The largest, Chromium's 126 MB, takes seven minutes at 300 kB/s. */
const longestMs = 600_000;
const aptGet = (args: readonly string[], cwd?: string) =>
  run('apt-get', args, { timeout: longestMs, ...(cwd === undefined ? {} : { cwd }) });

/** Two updates at once would fail: one holds the lock of the lists. */
let updated: Promise<unknown> | null = null;

/**
 * Downloads Debian packages with apt and unpacks them, without root and without installing. A second call finds the folder.
 *
 * @param options.dependencies whether to fetch as well what apt would install with them on this machine.
 * @returns the folder that holds their `usr/…`.
 * @throws where there is no apt, or the packages cannot be fetched.
 */
export async function unpackDebian(
  name: string,
  packages: readonly string[],
  options: { readonly dependencies?: boolean } = {},
): Promise<string> {
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
    const download = async () => {
      const missing = options.dependencies === true ? await missingDependencies(packages) : [];
      await aptGet(['download', ...new Set([...packages, ...missing])], staging);
    };
    // A fresh image has no package lists, an old one names versions that are gone; only root may fetch them.
    await download().catch(async () => {
      updated ??= aptGet(['update']);
      await updated;
      await download();
    });
    for (const file of await readdir(staging)) {
      if (!file.endsWith('.deb')) continue;
      await run('dpkg', ['-x', join(staging, file), staging], { timeout: longestMs });
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

/** Their names differ from release to release; apt knows those of this one. */
async function missingDependencies(packages: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await aptGet(['--simulate', '--no-install-recommends', 'install', ...packages]);
  return [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name!);
}
