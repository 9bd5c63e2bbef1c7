import { spawn } from 'node:child_process';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, realpath, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = new URL('../../', import.meta.url);
const nobody = 65_534;

export interface Image {
  /** `node src/cli.ts …` in it, as its user. */
  run(args: readonly string[], env: Readonly<Record<string, string>>): ImageProcess;
  /** False where this process cannot become another user, or that one may not enter the folders. */
  readonly asNobody: boolean;
  remove(): Promise<void>;
}

export interface ImageProcess {
  readonly signal: (name: NodeJS.Signals) => void;
  readonly ended: Promise<number | null>;
  /** stdout and stderr so far. */
  readonly output: () => string;
}

/** What the Dockerfile builds, without Docker: the files that it copies, and no dev dependency. */
export async function buildImage(): Promise<Image> {
  const directory = await mkdtemp(join(tmpdir(), 'rota-image-'));
  await chmod(directory, 0o755);
  for (const path of await copiedPaths()) await cp(new URL(path, root), join(directory, path), { recursive: true });
  const modules = await realpath(new URL('node_modules', root));
  for (const name of await productionPackages()) {
    const target = join(directory, 'node_modules', name);
    await mkdir(dirname(target), { recursive: true });
    await symlink(join(modules, name), target);
  }
  const cache = join(directory, 'cache');
  await mkdir(cache);
  const folders = [directory, modules, dirname(process.execPath)];
  const asNobody = process.getuid?.() === 0 && (await Promise.all(folders.map(anyUserMayEnter))).every(Boolean);
  if (asNobody) await chown(cache, nobody, nobody);
  return {
    asNobody,
    run(args, env) {
      const child = spawn(process.execPath, ['src/cli.ts', ...args], {
        cwd: directory,
        env: { NODE_ENV: 'production', NODE_COMPILE_CACHE: cache, PATH: '/usr/bin:/bin', ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
        ...(asNobody ? { uid: nobody, gid: nobody } : {}),
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
      return {
        signal: (name) => child.kill(name),
        ended: new Promise((resolve) => child.once('close', resolve)),
        output: () => output,
      };
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** From the last stage: `COPY a b ./`, but for what another stage made. */
async function copiedPaths(): Promise<readonly string[]> {
  const text = await readFile(new URL('Dockerfile', root), 'utf8');
  const lastStage = text.slice(text.lastIndexOf('\nFROM '));
  return lastStage
    .split('\n')
    .filter((line) => /^COPY (?!--from)/.test(line))
    .flatMap((line) => line.split(/\s+/).slice(1, -1));
}

/** What `npm ci --omit=dev` puts into node_modules. */
async function productionPackages(): Promise<readonly string[]> {
  const lock = JSON.parse(await readFile(new URL('package-lock.json', root), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([, entry]) => entry.dev !== true && entry.devOptional !== true)
    .map(([path]) => /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1])
    .filter((name) => name !== undefined);
}

async function anyUserMayEnter(path: string): Promise<boolean> {
  const { mode } = await stat(path);
  const parent = dirname(path);
  return (mode & 0o001) !== 0 && (parent === path || (await anyUserMayEnter(parent)));
}
