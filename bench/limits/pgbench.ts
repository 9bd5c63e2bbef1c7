import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { planByKey } from '../../src/queue/postgres.ts';

const run = promisify(execFile);

/** pgbench is in no npm package: where it is not installed its cases are left out. */
export async function hasPgbench(): Promise<boolean> {
  return run('pgbench', ['--version']).then(
    () => true,
    () => false,
  );
}

export interface PgbenchRun {
  readonly databaseUrl: string;
  /** One statement without parameters: prepared once per client, as the supervisor's are. */
  readonly script: string;
  readonly clients: number;
  /** Whole seconds, as pgbench takes them. */
  readonly seconds: number;
}

/** @returns transactions per second, connecting not counted. */
export async function pgbench({ databaseUrl, script, clients, seconds }: PgbenchRun): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'rota-pgbench-'));
  try {
    const file = join(folder, 'script.sql');
    await writeFile(file, `${script};\n`);
    const { hostname, port, username, pathname } = new URL(databaseUrl);
    const options = Object.entries(planByKey).map(([name, value]) => `-c ${name}=${value}`);
    const args = ['-n', '-M', 'prepared', '-f', file, '-c', String(clients), '-j', '2', '-T', String(seconds)];
    const { stdout } = await run('pgbench', [...args, '-h', hostname, '-p', port, '-U', username, pathname.slice(1)], {
      env: { ...process.env, PGOPTIONS: options.join(' ') },
    });
    const rate = /tps = ([\d.]+)/.exec(stdout)?.[1];
    if (rate === undefined) throw new Error(`pgbench printed no tps:\n${stdout}`);
    return Number(rate);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
