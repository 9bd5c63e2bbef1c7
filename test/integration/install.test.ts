import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** As npm ci: removes what was there, and writes its own stamp last. `SLOW` lets it be interrupted before that. */
const npm = `#!/bin/sh
echo "$*" >> npm.log
rm -rf node_modules
mkdir -p node_modules/half
[ -z "$SLOW" ] || sleep 30
echo '{}' > node_modules/.package-lock.json
`;

/** A checkout of Rota's launcher, install script and Makefile, with an npm and a program that only say that they ran. */
async function checkout() {
  const folder = await mkdtemp(join(tmpdir(), 'rota-install-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'src'));
  await mkdir(join(folder, 'tools'));
  for (const file of ['src/launch.sh', 'src/install.sh', 'Makefile', 'package.json', 'package-lock.json'])
    await cp(join(root, file), join(folder, file));
  await writeFile(join(folder, 'tools/npm'), npm);
  await chmod(join(folder, 'tools/npm'), 0o755);
  await writeFile(
    join(folder, 'src/cli.ts'),
    `console.log('runs'); if (process.argv[2] === 'dev') setInterval(() => {}, 1_000);`,
  );
  const start = (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const child = spawn(command, args, {
      cwd: folder,
      detached: true,
      env: { ...process.env, ...env, PATH: `${join(folder, 'tools')}:${process.env['PATH']}` },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
    const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
      child.once('close', (code) => resolve({ code, output })),
    );
    onTestFinished(() => end(child));
    return { child, ended, output: () => output };
  };
  return {
    folder,
    start,
    run: (command: string, ...args: string[]) => start(command, args).ended,
    installs: async () => (await readFile(join(folder, 'npm.log'), 'utf8').catch(() => '')).split('\n').length - 1,
    /** As `git pull` does where dependencies changed. */
    changeLock: () => {
      const soon = new Date(Date.now() + 5_000);
      return utimes(join(folder, 'package-lock.json'), soon, soon);
    },
  };
}

/** With what it started, by its process group. */
function end({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
}

const launch = './src/launch.sh';

test('whichever installs first, the others find it installed', async () => {
  const it = await checkout();
  expect(await it.run(launch, '--version')).toMatchObject({ code: 0, output: expect.stringContaining('runs') });
  expect(await it.run('make', 'install')).toMatchObject({ code: 0 });
  expect(await it.run(launch, '--version')).toEqual({ code: 0, output: 'runs\n' });
  expect(await it.installs()).toBe(1);
});

test('a changed lock is installed by either', async () => {
  const it = await checkout();
  await it.run('make', 'install');
  await it.changeLock();
  await it.run(launch, '--version');
  expect(await it.installs()).toBe(2);
});

test('an install that was interrupted is mended by the next start', async () => {
  const it = await checkout();
  const first = it.start(launch, ['--version'], { SLOW: '1' });
  await vi.waitFor(async () => expect(await it.installs()).toBe(1), { timeout: 10_000 });
  process.kill(-first.child.pid!, 'SIGKILL');
  await first.ended;
  expect(await it.run(launch, '--version')).toMatchObject({ code: 0, output: expect.stringContaining('runs') });
  expect(await it.installs()).toBe(2);
});

test('two at once install once', async () => {
  const it = await checkout();
  const both = await Promise.all([it.run(launch, '--version'), it.run('make', 'install')]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(await it.installs()).toBe(1);
});

test('nothing is installed under a running server: make says which process, and rota goes on', async () => {
  const it = await checkout();
  await it.run('make', 'install');
  const server = it.start(launch, ['dev']);
  await vi.waitFor(() => expect(server.output()).toContain('runs'), { timeout: 10_000 });
  await it.changeLock();
  const made = await it.run('make', 'utest');
  expect(made.code).not.toBe(0);
  expect(made.output).toContain(`process ${server.child.pid} runs on that: end it`);
  expect(await it.run(launch, '--version')).toMatchObject({ code: 0, output: expect.stringContaining('runs') });
  expect(await it.installs()).toBe(1);
  end(server.child);
  await server.ended;
  expect(await it.run('make', 'install')).toMatchObject({ code: 0 });
  expect(await it.installs()).toBe(2);
});

test('an image, which has no lock, installs nothing', async () => {
  const it = await checkout();
  await rm(join(it.folder, 'package-lock.json'));
  expect(await it.run(launch, '--version')).toEqual({ code: 0, output: 'runs\n' });
  expect(await it.installs()).toBe(0);
});
