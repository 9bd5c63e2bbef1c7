import { connect, type Sql } from '../../../src/postgres/pool.ts';
import { migrate } from '../../../src/queue/schema/migrations.ts';
import { inSession } from '../../../src/postgres/session.ts';
import { createDatabase } from '../database.ts';

export interface VirtualDatabase {
  readonly url: string;
  readonly sql: Sql;
  /** Epoch milliseconds, from the next statement on. */
  setNow(ms: number): Promise<void>;
  drop(): Promise<void>;
}

/** Functions of Postgres that tell the time, and are used by statements, functions, triggers, views or defaults. */
const clocks = ['now', 'transaction_timestamp', 'statement_timestamp', 'clock_timestamp'] as const;

/**
 * A migrated database whose time stands still until it is set: a schema with its own now() goes before pg_catalog in the search path of each
 * session, that of the migrations too, so that defaults of columns and views follow it.
 */
export async function createVirtualDatabase(): Promise<VirtualDatabase> {
  const { url, drop } = await createDatabase();
  await inSession(url, async (client) => {
    await client.query(
      `CREATE SCHEMA sim; CREATE TABLE sim.clock (at timestamptz NOT NULL); INSERT INTO sim.clock VALUES (now())`,
    );
    for (const name of clocks)
      await client.query(
        `CREATE FUNCTION sim.${name}() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM sim.clock'`,
      );
    await client.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET search_path = sim, pg_catalog`);
  });
  await migrate(url);
  const sql = connect(url, { max: 3 });
  return {
    url,
    sql,
    async setNow(ms) {
      await sql`UPDATE sim.clock SET at = 'epoch'::timestamptz + ${ms}::float8 * interval '1 millisecond'`;
    },
    async drop() {
      await sql.end();
      await drop();
    },
  };
}
