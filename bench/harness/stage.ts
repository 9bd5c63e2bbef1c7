import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startSupervisorProcess, type SupervisorProcess } from '../../src/cli/demo/supervisor-process.ts';
import { startNats } from '../../src/embedded/nats.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { migrate } from '../../src/queue/migrations.ts';
import { connect, type Sql } from '../../src/queue/postgres.ts';

/** Embedded Postgres with durable commits, and nats-server: what `rota dev` starts, and nothing faster. */
export interface Stage {
  readonly natsUrl: string;
  /** An empty database of that name, made anew where it exists. @returns its URL */
  database(name: string): Promise<string>;
  /** Ended with the stage, latest first, unless it ended before: a bench that is interrupted leaves nothing running. */
  keep(end: () => Promise<void>): () => Promise<void>;
  close(): Promise<void>;
}

export async function setStage(): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'rota-bench-'));
  const stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  try {
    const postgres = await startPostgres({ directory });
    stack.defer(() => postgres.stop());
    const nats = await startNats({ directory });
    stack.defer(() => nats.stop());
    return {
      natsUrl: nats.url,
      database: async (name) => {
        await command(postgres.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
        await command(postgres.url, `CREATE DATABASE ${name}`);
        const url = new URL(postgres.url);
        url.pathname = `/${name}`;
        return url.href;
      },
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
  readonly databaseUrl: string;
  /** Of its subjects. */
  readonly prefix: string;
  readonly natsUrl: string;
  /** For seeding and counting. */
  readonly sql: Sql;
  stop(): Promise<void>;
}

/**
 * @param seed fills the database before the supervisor starts.
 * @param settings environment variables of the supervisor.
 */
export async function startRotaOn(
  stage: Stage,
  name: string,
  settings: Readonly<Record<string, string>> = {},
  seed: (sql: Sql) => Promise<void> = async () => {},
): Promise<RotaOnStage> {
  const databaseUrl = await stage.database(name);
  await migrate(databaseUrl);
  const sql = connect(databaseUrl, { max: 4 });
  await seed(sql);
  const supervisor = await startSupervisorProcess({
    SCHEDULER_DB_URI: databaseUrl,
    NATS_URL: stage.natsUrl,
    SCHEDULER_NATS_PREFIX: name,
    ...settings,
  });
  return {
    supervisor,
    databaseUrl,
    prefix: name,
    natsUrl: stage.natsUrl,
    sql,
    stop: stage.keep(async () => {
      await supervisor.stop();
      await sql.end();
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
