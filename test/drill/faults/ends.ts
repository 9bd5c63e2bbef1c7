import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Drill, Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

const launcher = fileURLToPath(new URL('../../../src/launch.sh', import.meta.url));
const endsWithinMs = 10_000;
/** Of a machine that is busy. */
const leniencyMs = 1_000;
const guarantee = 'the end comes within 10 s and leaves nothing behind';

interface Hang {
  readonly name: string;
  readonly what: string;
  hang(scene: Scene): void;
  mend(scene: Scene): void;
}

const hangs: readonly Hang[] = [
  {
    name: 'postgres',
    what: 'Postgres',
    hang: ({ links }) => links[0]!.postgres.hang('silent'),
    mend: ({ links }) => links[0]!.postgres.mend(),
  },
  {
    name: 'nats',
    what: 'NATS',
    hang: ({ links }) => links[0]!.nats.hang('silent'),
    mend: ({ links }) => links[0]!.nats.mend(),
  },
  {
    name: 'rabbitmq',
    what: 'RabbitMQ',
    hang: ({ links }) => links[0]!.rabbitmq.hang('silent'),
    mend: ({ links }) => links[0]!.rabbitmq.mend(),
  },
  {
    name: 'katalogus',
    what: 'Katalogus',
    hang: ({ kat }) => kat.outage('katalogus', 'hang'),
    mend: ({ kat }) => kat.outage('katalogus', 'none'),
  },
];

function drain({ name, what, hang, mend }: Hang): Fault {
  return {
    name: `drain-without-${name}`,
    about: `${what} falls silent, then one supervisor gets SIGTERM`,
    seconds: 45,
    unanswered: ['nats', 0, ...(name === 'postgres' ? ['rest' as const] : [])],
    async run({ scene, broke }) {
      const supervisor = scene.supervisors[0]!;
      hang(scene);
      await delay(1_000);
      const tookMs = await supervisor.end('SIGTERM', endsWithinMs * 2);
      mend(scene);
      if (tookMs === null) broke(guarantee, `did not end within ${(endsWithinMs * 2) / 1_000} s`);
      else if (tookMs > endsWithinMs + leniencyMs) broke(guarantee, `took ${(tookMs / 1_000).toFixed(1)} s`);
      supervisor.spawn();
      await supervisor.ready();
    },
  };
}

export const endFaults: readonly Fault[] = [
  ...hangs.map(drain),
  {
    name: 'terminal-closed',
    about: 'the terminal of `rota dev` is closed (SIGHUP, its output gone)',
    seconds: 45,
    run: closeTerminal,
  },
];

async function closeTerminal({ broke }: Drill): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'rota-drill-dev-'));
  const args = ['dev', '--data', data, '--api-port', '0', '--nats-port', '0', '--json'];
  const child = spawn(launcher, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stderr.resume();
  try {
    const lines = createInterface({ input: child.stdout });
    await Promise.race([
      lines[Symbol.asyncIterator]().next(),
      delay(60_000).then(() => Promise.reject(new Error('rota dev does not start'))),
    ]);
    const family = [child.pid!, ...descendants(child.pid!)];
    child.stdout.destroy();
    child.stderr.destroy();
    child.kill('SIGHUP');
    const deadline = performance.now() + endsWithinMs + leniencyMs;
    while (family.some(isRunning) && performance.now() < deadline) await delay(100);
    const left = family.filter(isRunning);
    if (left.length > 0) broke(guarantee, `left behind: ${left.map(nameOf).join(', ')}`);
    for (const pid of left.toReversed()) process.kill(pid, 'SIGKILL');
  } finally {
    if (isRunning(child.pid!)) child.kill('SIGKILL');
    await delay(200);
    await rm(data, { recursive: true, force: true });
  }
}

function descendants(parent: number): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const children = pids.filter((pid) => statOf(pid)?.parent === parent);
  return children.flatMap((pid) => [pid, ...descendants(pid)]);
}

function isRunning(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.state !== 'Z';
}

function nameOf(pid: number): string {
  return `${statOf(pid)?.name} (${pid})`;
}

function statOf(pid: number): { readonly name: string; readonly state: string; readonly parent: number } | null {
  try {
    const found = /^\d+ \((.*)\) (\S) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return found === null ? null : { name: found[1]!, state: found[2]!, parent: Number(found[3]) };
  } catch {
    return null;
  }
}
