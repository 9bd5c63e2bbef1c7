import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startSupervisorProcess, type SupervisorProcess } from '../../src/cli/demo/supervisor-process.ts';
import { startNats } from '../../src/embedded/nats.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { connect, type Sql } from '../../src/postgres/pool.ts';
import { type Filling, Seeds } from './seeds.ts';

/** Embedded Postgres with durable commits, and nats-server: what `rota dev` starts, and nothing faster. */
export interface Stage {
  readonly natsUrl: string;
  /** Of the Postgres process that all others of it are children of. */
  readonly postgresPid: number;
  readonly seeds: Seeds;
  /** An empty database of that name, recreated where it exists. @returns its URL */
  database(name: string): Promise<string>;
  /** Drops a database that is no longer used: its vacuums would fall into other suites' samples. */
  drop(databaseUrl: string): Promise<void>;
  /** Ended with the stage, latest first, unless it ended before: a bench that is interrupted leaves nothing running. */
  keep(end: () => Promise<void>): () => Promise<void>;
  close(): Promise<void>;
}

interface StageOptions {
  /** Of Postgres, beside those of `rota dev`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly say?: (text: string) => void;
}

export async function setStage({ settings = {}, say = () => {} }: StageOptions = {}): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'rota-bench-'));
  const stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  try {
    const postgres = await startPostgres({ directory, settings });
    stack.defer(() => postgres.stop());
    const nats = await startNats({ directory });
    stack.defer(() => nats.stop());
    const url = (name: string) => Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href;
    const drop = (name: string) => command(postgres.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    const make = async (name: string, how: string) => {
      await drop(name);
      await command(postgres.url, `CREATE DATABASE ${name} ${how}`);
      return url(name);
    };
    const create = (name: string) => make(name, '');
    const copy = (name: string, from: string) => make(name, `TEMPLATE ${from} STRATEGY FILE_COPY`);
    return {
      natsUrl: nats.url,
      postgresPid: postgres.pid,
      seeds: new Seeds({ create, copy, url }, say),
      database: create,
      drop: (databaseUrl) => drop(new URL(databaseUrl).pathname.slice(1)),
      keep: (end) => {
        let ended: Promise<void> | null = null;
        const once = () => (ended ??= end());
        stack.defer(once);
        return once;
      },
      close: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Rota as it is run: a process of its own on a database of its own. */
export interface RotaOnStage {
  readonly supervisor: SupervisorProcess;
  /** All of them. */
  readonly supervisors: readonly SupervisorProcess[];
  readonly databaseUrl: string;
  /** Of its subjects. */
  readonly prefix: string;
  readonly natsUrl: string;
  /** For seeding and counting. */
  readonly sql: Sql;
  stop(): Promise<void>;
}

export interface RotaOptions {
  /** How many share the database and the prefix; one where absent. */
  readonly supervisors?: number;
  /** Environment variables of the supervisor. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What its database holds; nothing where absent. */
  readonly filling?: Filling;
  /** More than that, before the supervisor starts. */
  readonly seed?: (sql: Sql) => Promise<void>;
  /** Another checkout of Rota, whose supervisor is started and makes its own tables; this one's where absent. */
  readonly checkout?: string | undefined;
}

export async function startRotaOn(
  stage: Stage,
  name: string,
  { supervisors: count = 1, settings = {}, filling = { queued: 0, finished: 0 }, seed, checkout }: RotaOptions = {},
): Promise<RotaOnStage> {
  const empty = filling.queued + filling.finished === 0;
  const databaseUrl = empty ? await stage.database(name) : await stage.seeds.take(name, filling);
  if (empty && checkout === undefined) await migrate(databaseUrl);
  const sql = connect(databaseUrl, { max: 4 });
  await seed?.(sql);
  const environment = {
    SCHEDULER_DB_URI: databaseUrl,
    NATS_URL: stage.natsUrl,
    SCHEDULER_NATS_PREFIX: name,
    // One connection represents a fleet here, and takes more than one worker holds.
    SCHEDULER_CLIENT_LEASES: '1000000',
    // Done above; at each start it would look up every queued task.
    ...(checkout === undefined ? { DATABASE_MIGRATION: 'false' } : {}),
    ...settings,
  };
  const launcher = checkout === undefined ? undefined : join(checkout, 'src/launch.sh');
  const supervisors: SupervisorProcess[] = [];
  while (supervisors.length < count) supervisors.push(await startSupervisorProcess(environment, launcher));
  return {
    supervisor: supervisors[0]!,
    supervisors,
    databaseUrl,
    prefix: name,
    natsUrl: stage.natsUrl,
    sql,
    stop: stage.keep(async () => {
      for (const supervisor of supervisors) await supervisor.stop();
      await sql.end();
      if (databaseUrl.endsWith(`/${name}`)) await stage.drop(databaseUrl);
    }),
  };
}

async function command(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
