import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { startNats } from '../../src/embedded/nats.ts';
import type { Embedded } from '../../src/embedded/process.ts';
import { MemoryQueue } from '../support/memory-queue.ts';
import { boefjeTask, startWire, type Wire } from '../support/wire.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** A server of this file's own, since the guide's workers use the default prefix. */
let directory: string;
let server: Embedded;
let wire: Wire;
let queue: MemoryQueue;

beforeAll(async () => {
  // Inside the checkout, so that the TypeScript worker finds the nats package.
  await mkdir(join(root, '.rota'), { recursive: true });
  directory = await mkdtemp(join(root, '.rota', 'workers-guide-'));
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

async function blockOf(language: string): Promise<string> {
  const guide = await readFile(join(root, 'docs/workers.md'), 'utf8');
  const found = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'ms').exec(guide)?.[1];
  if (found === undefined) throw new Error(`docs/workers.md has no block of ${language}`);
  return found;
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
async function letWork(command: string, file: string): Promise<{ output: string; code: number | null }> {
  const oois = ['one', 'two', 'three'];
  const tasks = oois.map((ooi) => boefjeTask('aa', ooi));
  loseAnswers();
  await wire.client.push('boefje', tasks);
  const worker = spawn(command, [file], { env: { ...process.env, NATS_URL: server.url } });
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

test('the TypeScript worker of the guide runs unchanged', async () => {
  const file = join(directory, 'worker.ts');
  await writeFile(file, await blockOf('ts'));
  const { output, code } = await letWork(process.execPath, file);
  expect(output).toContain('dns-records on one\ndns-records on two\ndns-records on three\n');
  expect(code).toBe(0);
});

test('the Python worker of the guide compiles, and runs unchanged where nats-py is installed', async (context) => {
  const python = process.env['PYTHON'] ?? 'python3';
  const has = (...args: string[]) => run(python, args).then(Boolean, () => false);
  if (!(await has('--version'))) return context.annotate('no python3 here: not compiled');
  const file = join(directory, 'worker.py');
  await writeFile(file, await blockOf('python'));
  await run(python, ['-m', 'py_compile', file]);
  if (!(await has('-c', 'import nats'))) return context.annotate('no nats-py here: compiled only');
  const { output, code } = await letWork(python, file);
  expect(output).toContain('dns-records on one\ndns-records on two\ndns-records on three\n');
  expect(code).toBe(0);
});

test('the shell example of the guide is a shell script', async () => {
  const file = join(directory, 'worker.sh');
  await writeFile(file, await blockOf('sh'));
  await run('bash', ['-n', file]);
});
