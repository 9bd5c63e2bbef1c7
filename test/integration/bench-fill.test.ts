import { Client } from 'pg';
import { expect, test } from 'vitest';
import { fill, queueUpTo } from '../../bench/harness/seeds.ts';
import { connect } from '../../src/postgres/pool.ts';
import { createDatabase } from '../support/database.ts';
import { expectInvariants } from '../support/invariants.ts';

test('a database that the bench has filled is what supervisors would have made of it', async () => {
  const database = await createDatabase();
  const [empty, client] = [await createDatabase(), new Client({ connectionString: database.url })];
  await fill(empty.url, { queued: 0, finished: 0 });
  await fill(database.url, { queued: 700, finished: 300 });
  await client.connect();
  try {
    await expectInvariants(client);
    const { rows: counts } = await client.query('SELECT status, count::int AS count FROM task_totals ORDER BY status');
    expect(counts).toEqual([
      { status: 'QUEUED', count: 700 },
      { status: 'COMPLETED', count: 297 },
      { status: 'FAILED', count: 3 },
    ]);
    const { rows: queued } = await client.query('SELECT sum(count)::int AS count FROM queued_organisations');
    expect(queued).toEqual([{ count: 700 }]);
    expect(await schemaOf(database.url)).toEqual(await schemaOf(empty.url));
    const { rows: disabled } = await client.query("SELECT FROM pg_trigger WHERE tgenabled <> 'O'");
    expect(disabled).toEqual([]);
  } finally {
    await client.end();
    await Promise.all([database.drop(), empty.drop()]);
  }
});

test('a queue that was popped from is filled up to its depth, with tasks that come last', async () => {
  const database = await createDatabase();
  await fill(database.url, { queued: 200, finished: 0 });
  const sql = connect(database.url, { max: 1 });
  try {
    const [last] = await sql<{ rank: string }[]>`SELECT max(rank)::text AS rank FROM queue`;
    await queueUpTo(sql, 250.000_001);
    const added = await sql<{ rank: string }[]>`SELECT rank FROM queue ORDER BY rank, created_at, id OFFSET 200`;
    expect(added).toHaveLength(50);
    expect(added.every(({ rank }) => BigInt(rank) >= BigInt(last!.rank))).toBe(true);
  } finally {
    await sql.end();
    await database.drop();
  }
});

/** Indexes and storage parameters of the tables that are filled. */
async function schemaOf(url: string): Promise<readonly unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(
      `SELECT pg_get_indexdef(indexrelid) AS text FROM pg_index WHERE indrelid IN ('tasks'::regclass, 'queue'::regclass)
       UNION ALL SELECT relname || array_to_string(reloptions, ',') FROM pg_class WHERE relname IN ('tasks', 'queue')
       ORDER BY 1`,
    );
    return rows;
  } finally {
    await client.end();
  }
}
