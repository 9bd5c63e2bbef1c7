import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import type { RunningRota } from '../../src/cli/start.ts';
import { readConfig } from '../../src/config/config.ts';
import { startRota } from '../../src/main.ts';
import { connectRota, type RotaClient } from '../../src/nats/client.ts';
import { next } from '../../src/telemetry/events.ts';
import { createDatabase } from './database.ts';

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line as a child process, as a shell starts it. */
export function runCli(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly stdin?: string; readonly cwd?: string } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [entry, ...args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(options.stdin ?? '');
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

/** A whole Rota, and the command line pointed at it. */
export interface RotaAtHand {
  readonly rota: RunningRota;
  readonly client: RotaClient;
  readonly prefix: string;
  readonly databaseUrl: string;
  /** Runs a command with `--json`; rejects with its stderr unless it exits 0. */
  json<T>(args: readonly string[], stdin?: string): Promise<T>;
  run(args: readonly string[], stdin?: string): Promise<Ended>;
  /** Another supervisor on the same database and NATS. */
  another(): Promise<RunningRota>;
  stop(): Promise<void>;
}

/** Supervisor and actors in this process, on a database and a subject prefix of the test's own. */
export async function startRotaAtHand(settings: Readonly<Record<string, string>> = {}): Promise<RotaAtHand> {
  const database = await createDatabase();
  const prefix = `cli-${randomUUID().slice(0, 8)}`;
  const config = readConfig({
    SCHEDULER_DB_URI: database.url,
    NATS_URL: inject('natsUrl'),
    SCHEDULER_NATS_PREFIX: prefix,
    SCHEDULER_API_HOST: '127.0.0.1',
    SCHEDULER_API_PORT: '0',
    SCHEDULER_DB_CONNECTION_POOL_SIZE: '10',
    SCHEDULER_LOGGING_FORMAT: 'json',
    SCHEDULER_RETRY_SECONDS: '0',
    ...settings,
  });
  const running: RunningRota[] = [];
  const another = async () => {
    const actors = Promise.all(
      ['boefje', 'normalizer', 'report'].map((name) => next('actor.started', (it) => it.actor === name)),
    );
    const rota = await startRota(config, {});
    running.push(rota);
    await actors;
    return rota;
  };
  const rota = await another();
  const client = await connectRota({ servers: inject('natsUrl'), prefix });
  const env = { NATS_URL: inject('natsUrl'), SCHEDULER_NATS_PREFIX: prefix };
  const run = (args: readonly string[], stdin?: string) =>
    runCli(args, { env, ...(stdin === undefined ? {} : { stdin }) });
  return {
    rota,
    client,
    prefix,
    databaseUrl: database.url,
    run,
    another,
    async json<T>(args: readonly string[], stdin?: string) {
      const ended = await run([...args, '--json'], stdin);
      if (ended.code !== 0) throw new Error(`rota ${args.join(' ')} exited ${ended.code}: ${ended.stderr}`);
      return JSON.parse(ended.stdout) as T;
    },
    async stop() {
      await client.close();
      for (const one of running) await one.drain();
      await database.drop();
    },
  };
}
