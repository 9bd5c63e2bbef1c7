-- What stands in the database beside tasks and schedules, in one row.
-- returns now_ms and oldest_ms (epoch milliseconds: when the oldest task was made; null where there is none), virtual_times (JSON text:
--   [{scheduler, image, manual, rank}], of each scheduler the greatest), intervals (JSON text: [{organisation, boefje, minutes}]), arrivals (JSON text: [{key, at_ms}], until when each key of a limit has no room by its rate)
-- $1 rows at most of each, of virtual times of each scheduler, $2 schedulers
SELECT extract(epoch FROM now())::float8 * 1000 AS now_ms,
  (SELECT extract(epoch FROM t.created_at)::float8 * 1000 FROM tasks t ORDER BY t.created_at LIMIT 1) AS oldest_ms,
  (SELECT coalesce(json_agg(v), '[]')::text
    FROM unnest($2::text[]) AS wanted(scheduler), LATERAL (
      SELECT of.scheduler, of.image, of.manual, of.rank FROM virtual_times AS of WHERE of.scheduler = wanted.scheduler
      ORDER BY of.rank DESC, of.image LIMIT $1) AS v) AS virtual_times,
  (SELECT coalesce(json_agg(i), '[]')::text FROM (
    SELECT b.organisation, r.key AS boefje, substring(r.value FROM '^interval ([0-9]{1,9})$')::integer AS minutes
    FROM seen_boefjes b, jsonb_each_text(b.recurrences) AS r
    WHERE r.value ~ '^interval [0-9]{1,9}$' LIMIT $1) i) AS intervals,
  (SELECT coalesce(json_agg(a), '[]')::text FROM (
    SELECT key, extract(epoch FROM tat)::float8 * 1000 AS at_ms FROM limiters WHERE tat > now() AND tat < 'infinity' LIMIT $1) a) AS arrivals
