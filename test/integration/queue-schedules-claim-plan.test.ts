import { expect, test } from 'vitest';
import { createScheduleStore } from '../../src/queue/schedules/schedule-store.ts';
import { connect } from '../../src/postgres/pool.ts';
import { unattendedDatabase } from '../support/blocks.ts';

test('a claim of due schedules reads what it claims, however many are due, and whatever the statistics say', async () => {
  const { url, sql } = await unattendedDatabase();
  await sql`
    INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, deadline_at)
    SELECT gen_random_uuid(), 'boefje', 'org-' || n % 50, md5(n::text), jsonb_build_object('input_ooi', repeat('x', 500)), true,
      now() + n * interval '1 minute'
    FROM generate_series(-200, 20000) AS n ORDER BY md5(n::text)`;
  const looking = connect(url, { max: 1 });
  const store = createScheduleStore(looking);
  /** Entries that it reads of the index by deadline. */
  const entries = async () => {
    await looking`SELECT pg_stat_force_next_flush()`;
    const [row] = await looking<{ read: number }[]>`
      SELECT pg_stat_get_tuples_returned('schedules_by_deadline'::regclass)::float8 AS read`;
    return row!.read;
  };
  const claim = async () => {
    const before = await entries();
    expect(await store.claimDueSchedules('boefje', { limit: 500 })).toHaveLength(500);
    return (await entries()) - before;
  };
  try {
    // The server's default, by which the planner rather sorts a few rows than it reads them in order.
    await looking`SET random_page_cost = 4`;
    // Of a time when few were due, and without any.
    for (const statistics of [
      'VACUUM ANALYZE schedules',
      'DELETE FROM pg_statistic WHERE starelid = $$schedules$$::regclass',
    ]) {
      await sql.unsafe(statistics);
      await sql`UPDATE schedules SET claimed_until = NULL, deadline_at = now() - interval '1 hour'`;
      await sql`VACUUM schedules`;
      expect(await claim(), statistics).toBeLessThanOrEqual(500);
      // What is claimed and not settled yet stands before the next ones.
      expect(await claim(), statistics).toBeLessThanOrEqual(1_500);
    }
  } finally {
    await looking.end();
  }
});
