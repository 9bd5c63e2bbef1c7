import { readFileSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort } from '../../src/embedded/process.ts';
import { type EmbeddedPostgres, startPostgres } from '../../src/embedded/postgres.ts';

/** Durable as in production, and small: a drill's database has thousands of rows. */
const drillSettings = { max_connections: '80', shared_buffers: '64MB', max_wal_size: '512MB', wal_keep_size: '256MB' };

/** A real Postgres that can be killed, started again at its port, and followed by a standby. */
export class DrillPostgres {
  readonly directory: string;
  readonly port: number;
  #server: EmbeddedPostgres | null = null;

  private constructor(directory: string, port: number) {
    this.directory = directory;
    this.port = port;
  }

  static async start(directory: string): Promise<DrillPostgres> {
    const postgres = new DrillPostgres(directory, await freePort());
    await postgres.start();
    return postgres;
  }

  /** Its own, and that of each copy of its folder. */
  get password(): string {
    return readFileSync(join(this.data, 'rota.password'), 'utf8').trim();
  }

  get data(): string {
    return join(this.directory, 'postgres');
  }

  /** Starts it again. After a SIGKILL the shared memory of the one before is in use until its last process has ended. */
  async start(): Promise<void> {
    for (let tries = 1; this.#server === null; tries += 1) {
      try {
        this.#server = await startPostgres({ directory: this.directory, port: this.port, settings: drillSettings });
      } catch (error) {
        if (tries === 20) throw error;
        await delay(250);
      }
    }
  }

  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    process.kill(server.pid, 'SIGKILL');
    await server.stop();
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = null;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#server !== null) process.kill(this.#server.pid, signal);
  }

  /** One statement, past every proxy. */
  async query<T extends object>(text: string, values: readonly unknown[] = []): Promise<T[]> {
    const client = await this.connect();
    try {
      return (await client.query<T>(text, [...values])).rows;
    } finally {
      await client.end();
    }
  }

  async connect(): Promise<Client> {
    const client = new Client({
      host: '127.0.0.1',
      port: this.port,
      user: 'rota',
      password: this.password,
      database: 'rota',
      connectionTimeoutMillis: 5_000,
      application_name: 'drill',
      options: '-c default_transaction_read_only=off',
    });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  /** ALTER SYSTEM and a reload: applies to every session from its next statement on. */
  async configure(name: string, value: string | null): Promise<void> {
    await this.query(value === null ? `ALTER SYSTEM RESET ${name}` : `ALTER SYSTEM SET ${name} = '${value}'`);
    await this.query('SELECT pg_reload_conf()');
  }

  /**
   * A standby of this one that streams from it, without pg_basebackup, which the embedded binaries lack: a backup by
   * Postgres' own functions and a copy of its files.
   *
   * @param port a free one by default.
   */
  async standby(directory: string, port?: number): Promise<DrillPostgres> {
    const standby = new DrillPostgres(directory, port ?? (await freePort()));
    await rm(standby.data, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    const session = await this.connect();
    try {
      await session.query("SELECT pg_backup_start('drill', true)");
      const skipped = new Set(['postmaster.pid', 'postmaster.opts']);
      const log = join(this.data, 'pg_wal');
      await cp(this.data, standby.data, {
        recursive: true,
        filter: (path) => !skipped.has(path.slice(this.data.length + 1)) && !path.startsWith(`${log}/0`),
        mode: 0,
      });
      const { rows } = await session.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
      await writeFile(join(standby.data, 'backup_label'), rows[0]!.labelfile);
    } finally {
      await session.end();
    }
    await sameModes(this.data, standby.data);
    await writeFile(join(standby.data, 'standby.signal'), '');
    await this.#follow(standby);
    await standby.start();
    return standby;
  }

  /** A standby that every commit waits for from now on: what was answered is on both. */
  async synchronousStandby(directory: string): Promise<DrillPostgres> {
    const standby = await this.standby(directory);
    await this.configure('synchronous_standby_names', '*');
    const inSync = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
    while ((await this.query(inSync)).length === 0) await delay(100);
    return standby;
  }

  async promote(): Promise<void> {
    await this.query('SELECT pg_promote(true, 30)');
  }

  async #follow(standby: DrillPostgres): Promise<void> {
    const conninfo = `host=127.0.0.1 port=${this.port} user=rota password=${this.password}`;
    await writeFile(join(standby.data, 'postgresql.auto.conf'), `primary_conninfo = '${conninfo}'\n`);
  }
}

/** Postgres refuses a data directory that others may read. */
async function sameModes(from: string, to: string): Promise<void> {
  await chmod(to, 0o700);
  for (const name of await readdir(to)) {
    const { mode } = await stat(join(from, name)).catch(() => ({ mode: 0o700 }));
    await chmod(join(to, name), mode & 0o777);
  }
}
