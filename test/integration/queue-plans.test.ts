import { expect, test } from 'vitest';
import { connect, statement } from '../../src/postgres/pool.ts';
import { queueUnderTest } from '../support/queue.ts';

const id = `'6f0f3a57-3f0e-4c63-9d3c-1f6a3f9f4c11'`;

/** Name, types and values of statements that know which tasks they want. */
const statements: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['lists/read', ['uuid[]'], [`ARRAY[${id}]::uuid[]`]],
  ['settle/release', ['uuid'], [id]],
  ['settle/settle-lock', ['uuid[]'], [`ARRAY[${id}]::uuid[]`]],
  ['settle/settle-lock-leaders', ['uuid[]', 'uuid[]'], [`ARRAY[${id}]::uuid[]`, `ARRAY[${id}]::uuid[]`]],
  ['settle/settle-followers', ['uuid[]', 'uuid[]'], [`ARRAY[${id}]::uuid[]`, `ARRAY[${id}]::uuid[]`]],
  ['settle/settle', ['text', 'float8', 'boolean'], [`'[{"n":0}]'`, '1', 'true']],
  [
    'settle/settle-held',
    ['uuid[]', 'uuid[]', 'taskstatus[]', 'boolean', 'text[]'],
    [`ARRAY[${id}]::uuid[]`, `ARRAY[${id}]::uuid[]`, `ARRAY['RUNNING']::taskstatus[]`, 'true', 'NULL'],
  ],
  ['settle/heartbeat', ['uuid[]', 'uuid[]', 'float8[]'], [`ARRAY[${id}]::uuid[]`, `ARRAY[${id}]::uuid[]`, `ARRAY[1]`]],
  ['push/latest-tasks', ['text', 'text[]'], [`'boefje'`, `ARRAY['a', 'b']`]],
  ['maintenance/rerank-look', ['text'], [`'boefje'`]],
  ['settle/revoke-queued', ['text', 'text[]', 'text'], [`'boefje'`, `ARRAY['a', 'b']`, `'scan-level-too-low'`]],
  ['settle/revoked-of-hashes', ['text', 'text[]'], [`'boefje'`, `ARRAY['a', 'b']`]],
];

const keyed = /^(Index|Recheck|TID) Cond: \(+(id|task_id|hash|unit|\w+\.place)\b/;

test('lessons 0.9: a statement that names tasks reads those and no others, before there are statistics too', async () => {
  const { sql, url } = await queueUnderTest();
  await sql`
    INSERT INTO tasks (id, scheduler_id, organisation, type, hash, data, status)
    SELECT gen_random_uuid(), 'boefje', 'aa', 'boefje', md5(n::text), '{}', 'COMPLETED' FROM generate_series(1, 5000) AS n`;
  // The queue's own connections, and those of lists and schedules.
  for (const byKey of [true, false]) {
    const looking = connect(url, { max: 1, byKey });
    for (const [name, types, values] of statements) {
      await looking.unsafe(`PREPARE looked_at (${types.join(', ')}) AS ${statement(name)}`);
      const rows = await looking.unsafe<{ 'QUERY PLAN': string }[]>(
        `EXPLAIN (COSTS OFF) EXECUTE looked_at (${values.join(', ')})`,
      );
      await looking.unsafe('DEALLOCATE looked_at');
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      // Each look into a table is by the id, the hash, the claim that it came with, or by the place that a look by the id has found.
      const looks = [...plan.matchAll(/Scan (?:using \w+ )?on (?:tasks|leases|rare_outcomes)\b.*\n\s*(.*)/g)];
      for (const [, condition] of looks) expect([name, condition]).toEqual([name, expect.stringMatching(keyed)]);
    }
    await looking.end();
  }
});

test('a hash is queued once, whichever order of the columns a supervisor names: that of older ones too', async () => {
  const { sql } = await queueUnderTest();
  const insert = (columns: string) =>
    sql.unsafe(`INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation)
      VALUES ('boefje', 1, now(), gen_random_uuid(), 'a', 'aa') ON CONFLICT (${columns}) DO NOTHING RETURNING id`);
  expect(await insert('hash, scheduler')).toHaveLength(1);
  expect(await insert('scheduler, hash')).toHaveLength(0);
  expect(await insert('hash, scheduler')).toHaveLength(0);
});
