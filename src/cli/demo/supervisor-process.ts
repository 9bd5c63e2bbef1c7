import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { environment } from '../../config/variables.ts';
import { freePort, startServer, stopServer } from '../../embedded/process.ts';
import { RotaError } from '../../errors.ts';

const ourLauncher = fileURLToPath(new URL('../../launch.sh', import.meta.url));
/** Threads, migrations and connections take one or two seconds, many more on a busy machine. */
const startWithinMs = 60_000;

/** The real supervisor, `rota start`, as a child process. */
export interface SupervisorProcess {
  readonly api: string;
  /** The current process's. */
  readonly pid: number;
  /** Starts after the first one. */
  readonly restarts: number;
  /** Sends SIGKILL and starts a new process on the same addresses; resolves when it serves. */
  restart(): Promise<void>;
  /** Sends SIGTERM, which drains. */
  stop(): Promise<void>;
  /** Rejects with the last output if the process ends by itself. */
  readonly broken: Promise<never>;
  /** The last lines of its log. */
  output(): string;
}

/** @param launcher `rota` of another checkout; this one's by default. */
export async function startSupervisorProcess(
  settings: Readonly<Record<string, string>>,
  launcher: string = ourLauncher,
): Promise<SupervisorProcess> {
  const port = await freePort();
  const api = `http://127.0.0.1:${port}`;
  const env = {
    ...withoutOurs(process.env),
    ...settings,
    SCHEDULER_API_HOST: '127.0.0.1',
    SCHEDULER_API_PORT: String(port),
  };
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  let restarts = 0;
  let expected = false;
  let server = await start();

  async function start() {
    const started = startServer(launcher, ['start'], env);
    started.failed.catch((error: Error) => {
      if (!expected) broken.reject(new RotaError('BROKEN', error.message.replace('at start', 'by itself')));
    });
    await Promise.race([serving(api), started.failed]);
    return started;
  }

  return {
    api,
    get pid() {
      return server.child.pid!;
    },
    get restarts() {
      return restarts;
    },
    broken: broken.promise,
    output: () => server.output(),
    restart: async () => {
      expected = true;
      await stopServer(server.child, 'SIGKILL');
      expected = false;
      restarts += 1;
      server = await start();
    },
    stop: async () => {
      expected = true;
      await stopServer(server.child, 'SIGTERM', 30_000);
    },
  };
}

async function serving(api: string): Promise<void> {
  const deadline = performance.now() + startWithinMs;
  const ready = () =>
    fetch(`${api}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await ready())) {
    if (performance.now() > deadline)
      throw new RotaError('SERVICE_UNAVAILABLE', `the supervisor is not ready within a minute`);
    await delay(50);
  }
}

/** The environment without settings of a real supervisor that this shell may have. */
function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !(name in environment.shape) && !name.startsWith('SCHEDULER_')),
  );
}
