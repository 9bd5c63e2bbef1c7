import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { startNats } from '../../src/embedded/nats.ts';
import type { Embedded } from '../../src/embedded/process.ts';
import { MemoryQueue } from '../support/memory-queue.ts';
import { boefjeTask, startWire, type Wire } from '../support/wire.ts';

// npm and pip fetch packages.
vi.setConfig({ testTimeout: 120_000 });

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** A server of this file's own, since the guide's workers use the default prefix. */
let directory: string;
let server: Embedded;
let wire: Wire;
let queue: MemoryQueue;

beforeAll(async () => {
  // Outside the checkout, which has packages that a worker's folder has not.
  directory = await mkdtemp(join(tmpdir(), 'rota-workers-guide-'));
  // One that begins with a digit, which the library would take for a port.
  await mkdir(join(directory, 'nats'), { mode: 0o700 });
  await writeFile(join(directory, 'nats', 'rota.password'), '8aB', { mode: 0o600 });
  server = await startNats({ directory });
});
beforeEach(async () => {
  queue = new MemoryQueue();
  wire = await startWire({ natsUrl: server.url, queue, prefix: 'rota' });
  return () => wire.stop();
});
afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const guide = await readFile(join(root, 'docs/workers.md'), 'utf8');

/** The code below a heading, block by block: `ts`, `python`, and what a shell runs. */
function blocksOf(heading: string, language: string): readonly string[] {
  const section = guide.split(/^## /m).find((part) => part.startsWith(heading));
  const found = [...(section ?? '').matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))];
  if (found.length === 0) throw new Error(`docs/workers.md has no block of ${language} below ${heading}`);
  return found.map(([, block]) => block!);
}

/** Commands as they are printed, in a folder of their own; HOME has `rota`, a clone with a `rota dev`. */
async function shell(block: string, folder: string): Promise<void> {
  await run('bash', ['-e', '-c', block], { cwd: folder, env: await environment() });
}

async function environment(): Promise<NodeJS.ProcessEnv> {
  await mkdir(join(directory, 'rota/.rota/dev'), { recursive: true });
  await writeFile(join(directory, 'rota/.rota/dev/nats.url'), `${server.url}\n`);
  const cache = process.env['npm_config_cache'] ?? join(homedir(), '.npm');
  return {
    ...process.env,
    HOME: directory,
    npm_config_cache: cache,
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
  };
}

async function folderOf(worker: string): Promise<string> {
  const folder = join(directory, worker);
  await mkdir(folder);
  return folder;
}

/** The answers to the first `running` and to the first `completed` are lost after they were done. */
function loseAnswers(): void {
  const patch = queue.patch.bind(queue);
  const lost = new Set<string | undefined>();
  queue.patch = async (patches) => {
    const outcomes = await patch(patches);
    const { status } = patches[0]!;
    if (lost.has(status)) return outcomes;
    lost.add(status);
    return new Promise(() => {});
  };
}

/** Lets a worker of the guide do three tasks, two answers of which are lost, then ends it as an orchestrator would. */
async function letWork(command: string, folder: string): Promise<{ output: string; code: number | null }> {
  const oois = ['one', 'two', 'three'];
  const tasks = oois.map((ooi) => boefjeTask('aa', ooi));
  loseAnswers();
  await wire.client.push('boefje', tasks);
  // `exec`: SIGTERM is for the worker, not for its shell.
  const worker = spawn('bash', ['-c', `exec env ${command}`], { cwd: folder, env: await environment() });
  let output = '';
  worker.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  worker.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => worker.once('exit', resolve));
  try {
    await vi.waitFor(
      () => {
        const states = [...queue.rows.values()].map((row) => row.status);
        expect(states, `exit ${worker.exitCode}, output: ${output}`).toEqual(Array(3).fill('completed'));
      },
      { timeout: 30_000 },
    );
    worker.kill('SIGTERM');
    // Its last pop ends with a task, so that the test need not sit out the wait.
    await wire.client.push('boefje', boefjeTask('aa', 'last'));
    return { output, code: await exited };
  } finally {
    worker.kill('SIGKILL');
  }
}

const done = 'dns-records on one\ndns-records on two\ndns-records on three\n';

test('the TypeScript worker of the guide runs as printed, in a folder of its own', async () => {
  const folder = await folderOf('typescript');
  const [install, start] = blocksOf('TypeScript', 'sh');
  await shell(install!, folder);
  await writeFile(join(folder, 'worker.ts'), blocksOf('TypeScript', 'ts')[0]!);
  const { output, code } = await letWork(start!, folder);
  expect(output).toContain(done);
  // Not even a warning, such as that the package has no type.
  expect(output).not.toContain('Warning');
  expect(code).toBe(0);
});

test('the Python worker of the guide compiles, and runs as printed where nats-py can be installed', async (context) => {
  const has = (...args: string[]) => run('python3', args).then(Boolean, () => false);
  if (!(await has('--version'))) return context.annotate('no python3 here: not compiled');
  const folder = await folderOf('python');
  await writeFile(join(folder, 'worker.py'), blocksOf('Python', 'python')[0]!);
  await run('python3', ['-m', 'py_compile', join(folder, 'worker.py')]);
  const lines = blocksOf('Python', 'sh')[0]!.trim().split('\n');
  const installed = await shell(lines.slice(0, -1).join('\n'), folder).then(
    () => true,
    () => false,
  );
  if (!installed) return context.annotate('nats-py cannot be installed here: compiled only');
  const { output, code } = await letWork(lines.at(-1)!, folder);
  expect(output).toContain(done);
  expect(code).toBe(0);
});

test('the shell example of the guide does a task, where nats and jq are', async (context) => {
  const block = blocksOf('The `nats` command', 'sh')[0]!;
  const folder = await folderOf('shell');
  await writeFile(join(folder, 'worker.sh'), block);
  await run('bash', ['-n', 'worker.sh'], { cwd: folder });
  const has = (command: string) =>
    run('bash', ['-c', `command -v ${command}`]).then(
      () => true,
      () => false,
    );
  if (!(await has('nats')) || !(await has('jq')))
    return context.annotate('no nats and jq here: the script is only read');
  const task = await wire.client.push('boefje', boefjeTask('aa', 'one'));
  await shell(`NATS_URL=$(cat ~/rota/.rota/dev/nats.url); export NATS_URL\n${block}`, folder);
  expect(queue.rows.get(task.id)?.status).toBe('completed');
});
