import { type PagePools, pageMs } from '../queue/lists/page.ts';
import { connect, type Sql } from './pool.ts';

/** The connections of one supervisor, apart from each other by how long who uses them may take. */
export interface Pools {
  /** Of the queue itself, which opens them. */
  readonly queueConnections: number;
  /** Schedules, and what operators do. */
  readonly sql: Sql;
  readonly pages: PagePools;
  end(withinSeconds: number): Promise<void>;
}

/** @param connections 4 at least: half are the queue's; of the others lists have a half, two for searches and two for the rest at most */
export function connectPools(databaseUrl: string, connections: number): Pools {
  const queueConnections = Math.max(2, Math.floor(connections / 2));
  const listConnections = Math.min(4, Math.floor((connections - queueConnections) / 2));
  const sql = connect(databaseUrl, { max: connections - queueConnections - listConnections });
  const list = { max: Math.max(1, Math.floor(listConnections / 2)), statementMs: pageMs, serial: true };
  const plain = connect(databaseUrl, list);
  const search = listConnections === 1 ? plain : connect(databaseUrl, list);
  return {
    queueConnections,
    sql,
    pages: { plain, search },
    async end(withinSeconds) {
      await Promise.all([sql, plain, search].map((pool) => pool.end({ timeout: withinSeconds })));
    },
  };
}
