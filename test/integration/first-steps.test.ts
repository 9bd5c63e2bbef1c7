import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { freePort } from '../../src/embedded/process.ts';

// npm ci, and a start on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 300_000 });

const root = fileURLToPath(new URL('../../', import.meta.url));
/** As in a person's shell: the system's own Node and npm. */
const path = process.env['PATH']!.split(delimiter)
  .filter((folder) => !folder.endsWith('node_modules/.bin'))
  .join(delimiter);
const env: NodeJS.ProcessEnv = { ...process.env, PATH: path };
for (const name of ['NATS_URL', 'NODE_OPTIONS', 'NODE_ENV']) delete env[name];

/** What `git clone` would have made of this working tree. */
let clone: string;
let steps: readonly string[];
let dev: ChildProcess;
let output = '';

beforeAll(async () => {
  clone = await mkdtemp(join(tmpdir(), 'rota-first-steps-'));
  const listed = await promisify(execFile)('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root });
  for (const file of listed.stdout.trim().split('\n'))
    await cp(join(root, file), join(clone, file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  const readme = await readFile(join(clone, 'README.md'), 'utf8');
  const section = /^## First steps$(.*?)^## /ms.exec(readme)![1]!;
  // Four backticks where the block has three.
  steps = [...section.matchAll(/^(`{3,})sh\n(.*?)^\1$/gms)].map(([, , block]) => block!);
  expect(steps).toHaveLength(6);
  await startDev();
});

afterAll(async () => {
  await endDev();
  await rm(clone, { recursive: true, force: true });
});

/** The first command, as it is printed, but for its ports: others may be taken. It comes with `npm ci`. */
async function startDev(): Promise<void> {
  const ports = [await freePort(), await freePort(), await freePort()];
  const options = ` --api-port ${ports[0]} --nats-port ${ports[1]} --page-port ${ports[2]}`;
  dev = spawn('sh', ['-c', `exec ${steps[0]!.trim()}${options}`], { cwd: clone, env, detached: true });
  output = '';
  for (const stream of [dev.stdout!, dev.stderr!]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await vi.waitFor(() => expect(output, output).toContain('Ctrl-C drains'), { timeout: 240_000, interval: 200 });
}

/** Ctrl-C: the terminal tells the whole process group. */
async function endDev(): Promise<void> {
  if (dev.exitCode !== null || dev.signalCode !== null) return;
  const closed = once(dev, 'close');
  process.kill(-dev.pid!, 'SIGINT');
  await closed;
}

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** A block, in a shell in the clone; `until` ends what would go on without an end. */
async function shell(block: string, until?: RegExp): Promise<Ended> {
  const child = spawn('bash', ['-e', '-c', block], { cwd: clone, env, detached: true });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (until?.test(text) === true) process.kill(-child.pid!, 'SIGTERM');
    });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output: text };
}

test('npx rota dev --kat on a fresh clone says where the page is, and what its KAT has', () => {
  expect(output).toMatch(/page {6}http:\/\/127\.0\.0\.1:\d+\/login\?once=/);
  expect(output).toMatch(/KAT {7}simulated: org-1 to org-5, 4 workers; boefje \S+ always fails/);
});

test('the others are run as they are printed: look, push, explain', async () => {
  const [, look, push] = steps;
  const [top, failed] = look!.trim().split('\n');
  expect(await shell(top!, /QUEUE/)).toMatchObject({ output: expect.stringMatching(/boefje/) });
  await vi.waitFor(
    async () => expect(await shell(failed!)).toMatchObject({ code: 0, output: expect.stringContaining('no route') }),
    { timeout: 60_000, interval: 500 },
  );
  const pushed = await shell(push!);
  expect(pushed.output).toMatch(/queued/);
  expect(pushed.output).toMatch(/RULE/);
});

test('a scheduler of one file has tasks after the next start, and a worker of one file takes them', async () => {
  const [, , , write, look, worker] = steps;
  expect(await shell(write!)).toMatchObject({ code: 0 });
  await endDev();
  await startDev();
  const looked = await shell(look!);
  expect(looked).toMatchObject({ code: 0, output: expect.stringMatching(/org-\d/) });
  const worked = await shell(worker!, /organisation: 'org-\d'/);
  expect(worked.output).toContain("what: 'everything'");
});

test('the demo has a worker for that scheduler, too', async () => {
  const args = '--organisations 2 --objects 6 --boefjes 3 --seconds 3 --workers 3 --fail 0';
  const { code, output: said } = await shell(`make demo ARGS="${args}"`);
  expect(code, said).toBe(0);
  // Queued, dispatched, completed.
  expect(said).toMatch(/inventory +│ +2 │ +2 │ +2 │/);
});
