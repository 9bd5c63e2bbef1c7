-- When keys are to be looked at again.
-- returns wait_ms until the first of all keys (null: nothing waits)
-- $1 the keys that were looked at, $2 windows that are closed, $3 when each opens
-- As an object: a look into it is quick, and no estimate can turn it into a comparison of each with each.
WITH times AS MATERIALIZED (
  SELECT coalesce(jsonb_object_agg(s.key, s.next_at), '{}') AS at
  FROM rota_limit_states(ARRAY(
    SELECT k.key FROM unnest($1::varchar[]) AS k (key) WHERE EXISTS (SELECT FROM queue q WHERE q.held AND q.parked = k.key)
  ), $2::varchar[], $3::timestamptz[]) AS s
),
settled AS (
  -- A day at most: a window that never opens again may be ended, and infinity says that nothing waits.
  UPDATE limiters l
  SET next_at = CASE WHEN times.at ? l.key THEN least((times.at ->> l.key)::timestamptz, now() + interval '1 day') ELSE 'infinity' END
  FROM times WHERE l.key = ANY ($1::varchar[])
  RETURNING l.next_at
)
SELECT (extract(epoch FROM nullif(least(
  (SELECT min(settled.next_at) FROM settled),
  (SELECT l.next_at FROM limiters l WHERE l.next_at < 'infinity' AND l.key <> ALL ($1::varchar[]) ORDER BY l.next_at LIMIT 1)
), 'infinity') - clock_timestamp()) * 1000)::float8 AS wait_ms
