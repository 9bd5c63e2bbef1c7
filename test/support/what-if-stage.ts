import type { Sql } from '../../src/postgres/pool.ts';
import { boefjeTask, queueUnderTest } from './queue.ts';

/** Tasks that one worker ran, one after the other, of `seconds` each, the last of which ended a minute ago. They had waited for two days. */
export async function history(
  sql: Sql,
  { count = 30, seconds = 60, boefje = 'dns-records', scheduler = 'boefje' } = {},
) {
  await sql.unsafe(
    `INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at, attempts,
       worker, claimed_at, started_at, ended_at)
     SELECT gen_random_uuid(), $1, 'before', $1, md5($2 || n), 2,
       jsonb_build_object('boefje', jsonb_build_object('id', $2::text), 'input_ooi', 'Hostname|internet|' || n, 'organization', 'before'),
       'COMPLETED', at - interval '2 days', at + $3 * interval '1 second', 1, 'w', at, at, at + $3 * interval '1 second'
     FROM (SELECT n, now() - interval '1 minute' - (n + 1) * $3 * interval '1 second' AS at FROM generate_series(0, $4::integer - 1) n) t`,
    [scheduler, boefje, seconds, count],
  );
}

/** As if all that is queued had been pushed two days ago: it says nothing of what comes. */
export async function age(sql: Sql) {
  await sql.unsafe(`UPDATE queue SET created_at = created_at - interval '2 days'`);
  await sql.unsafe(`UPDATE tasks SET created_at = created_at - interval '2 days' WHERE status = 'QUEUED'`);
}

/** Two organisations with thirty tasks each, one worker, a minute a task. */
export async function stageOfTwo() {
  const stage = await queueUnderTest();
  await history(stage.sql, { seconds: 60 });
  for (const organisation of ['aa', 'bb'])
    await stage.queue.push(
      'boefje',
      Array.from({ length: 30 }, (_none, n) =>
        boefjeTask(`Hostname|internet|${organisation}${n}.example`, {
          organisation,
          boefje: n % 2 === 0 ? 'nmap' : 'dns',
        }),
      ),
    );
  await age(stage.sql);
  // None falls due in a day, however long this takes.
  await stage.sql.unsafe(`UPDATE schedules SET deadline_at = now() + interval '2 days'`);
  return stage;
}
