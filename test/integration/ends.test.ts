import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../../src/embedded/process.ts';
import { createDatabase } from '../support/database.ts';

// Up to three whole starts of database and supervisor in one test: seconds each on an idle machine.
vi.setConfig({ testTimeout: 90_000 });

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

interface Rota {
  readonly process: ChildProcess;
  readonly exited: Promise<number | NodeJS.Signals | null>;
  /** Resolves when its output has this text. */
  said(text: string): Promise<void>;
}

function rota(args: readonly string[], env: Readonly<Record<string, string>> = {}): Rota {
  const child = spawn(process.execPath, [cli, ...args], {
    env: { ...process.env, SCHEDULER_API_PORT: '0', SCHEDULER_API_HOST: '127.0.0.1', ...env },
  });
  onTestFinished(() => void child.kill('SIGTERM'));
  let output = '';
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal)),
  );
  const heard = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => output.includes(text) && resolve();
      child.stdout.on('data', look);
      child.stderr.on('data', look);
      look();
    });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const over = async (): Promise<never> => {
    throw new Error(`ended with ${await exited}:\n${output}`);
  };
  return { process: child, exited, said: (text) => Promise.race([heard(text), over()]) };
}

/** A whole Rota on embedded services, and the ids of their processes. */
async function dev() {
  const data = await mkdtemp(join(tmpdir(), 'rota-ends-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  const args = ['dev', '--data', data, '--api-port', '0', '--nats-port', String(await freePort()), '--json'];
  const start = async () => {
    const running = rota(args);
    await running.said('"ready":true');
    return running;
  };
  const pidIn = async (file: string) => Number((await readFile(join(data, file), 'utf8')).split('\n')[0]);
  const services = () => Promise.all([pidIn('postgres/postmaster.pid'), pidIn('nats/nats-server.pid')]);
  return { start, services, args };
}

const goneFrom = (pids: readonly number[]) => () => pids.map(isAlive);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('SIGTERM ends a start that waits for NATS, with exit code 0', async () => {
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  const waiting = rota(['start'], { SCHEDULER_DB_URI: database.url, NATS_URL: `nats://127.0.0.1:${await freePort()}` });
  await waiting.said('NATS does not answer');
  waiting.process.kill('SIGTERM');
  expect(await waiting.exited).toBe(0);
});

test('a drain without NATS and Postgres ends, with exit code 0, and leaves no process behind', async () => {
  const { start, services } = await dev();
  const running = await start();
  const pids = await services();
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  running.process.kill('SIGTERM');
  expect(await running.exited).toBe(0);
  await expect.poll(goneFrom(pids)).toEqual([false, false]);
});

test('a second signal ends it at once, and its services with it', async () => {
  const { start, services } = await dev();
  const running = await start();
  const pids = await services();
  const [postgres] = pids;
  process.kill(postgres, 'SIGSTOP');
  onTestFinished(() => void (isAlive(postgres) && process.kill(postgres, 'SIGKILL')));
  // Which of two that are pending is heard first is the system's choice.
  running.process.kill('SIGTERM');
  running.process.kill('SIGINT');
  expect([130, 143]).toContain(await running.exited);
  process.kill(postgres, 'SIGCONT');
  await expect.poll(goneFrom(pids)).toEqual([false, false]);
});

test('what SIGKILL leaves behind is ended by the next start; a folder in use is left alone', async () => {
  const { start, services, args } = await dev();
  const first = await start();
  const orphans = await services();
  first.process.kill('SIGKILL');
  await first.exited;
  const second = await start();
  expect(orphans.map(isAlive)).toEqual([false, false]);
  expect(await rota(args).exited).toBe(65);
  second.process.kill('SIGTERM');
  expect(await second.exited).toBe(0);
});
