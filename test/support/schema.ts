import { connect, type Sql } from '../../src/postgres/pool.ts';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { createDatabase } from './database.ts';

export interface Store {
  readonly sql: Sql;
  readonly drop: () => Promise<void>;
}

/** A migrated database of a test file's own, and a pool on it. */
export async function createStore(): Promise<Store> {
  const database = await createDatabase();
  await migrate(database.url);
  const sql = connect(database.url, { max: 4 });
  return {
    sql,
    drop: async () => {
      await sql.end();
      await database.drop();
    },
  };
}
