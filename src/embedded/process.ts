import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

/** A free loopback port. Another process may take it before it is used: callers retry or fail with the port's number. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A child server that this process started and ends by its process id. */
export interface Embedded {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * Spawns a server in a process group of its own, so that a Ctrl-C meant for us does not reach it before we have
 * drained. Its last output is kept for the error of a failed start.
 */
export function startServer(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
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
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(timer);
}

/** Tries until it succeeds or the server has failed; the pause between tries is for a server that is still starting. */
export async function untilReady(
  probe: () => Promise<boolean>,
  failed: Promise<never>,
  withinMs: number,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  const attempt = async () => {
    while (!(await probe().catch(() => false))) {
      if (Date.now() > deadline) throw new Error(`not ready within ${withinMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  };
  await Promise.race([attempt(), failed]);
}
