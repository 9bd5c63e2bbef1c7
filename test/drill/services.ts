import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startNats } from '../../src/embedded/nats.ts';
import { type Embedded, freePort } from '../../src/embedded/process.ts';
import { startRabbitmq } from '../support/rabbitmq.ts';

/** A server that can be stopped, killed, frozen, and started again at its port. */
export interface DrillServer {
  readonly port: number;
  start(): Promise<void>;
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/** How a server that ships to KAT's users is configured: it notices a dead link after ten to fifteen seconds. */
const natsSettings = 'ping_interval: "5s"\nping_max: 2\n';

/** @param settings further lines of its configuration. */
export async function drillNats(directory: string, settings = ''): Promise<DrillServer> {
  await mkdir(directory, { recursive: true });
  const config = join(directory, 'nats.conf');
  await writeFile(config, natsSettings + settings);
  const port = await freePort();
  let server: Embedded | null = await startNats({ directory, port, config });
  return {
    port,
    start: async () => {
      server ??= await startNats({ directory, port, config });
    },
    kill: async () => {
      if (server !== null) process.kill(server.pid, 'SIGKILL');
      await server?.stop();
      server = null;
    },
    signal: (signal) => {
      if (server !== null) process.kill(server.pid, signal);
    },
    stop: async () => {
      await server?.stop();
      server = null;
    },
  };
}

export async function drillRabbitmq(directory: string): Promise<DrillServer> {
  const port = await freePort();
  let server: Awaited<ReturnType<typeof startRabbitmq>> | null = await startRabbitmq(directory, { port });
  return {
    port,
    start: async () => {
      server ??= await startRabbitmq(directory, { port });
    },
    kill: async () => {
      await server?.kill();
      server = null;
    },
    // Erlang is a child of the script that starts it.
    signal: (signal) => {
      if (server !== null) process.kill(-server.pid, signal);
    },
    stop: async () => {
      await server?.stop();
      server = null;
    },
  };
}
