-- Writes down what limits the rows that were looked at: parks them at their first key, or lets those go that no limit and no pause concerns.
-- returns freed (JSON: scheduler to rows that may be popped), skipped (rows that are being claimed or changed, or are gone)
-- $1 a JSON array of {id, hash, scheduler, keys}, $2 the version of limits, $3 whether they are rows that are held; else they may be popped
-- A row is found by its hash: that no key holds it is said so that the index of keys, which has thousands without one, does not serve it
-- (0.4 s for 500 rows of 10 000; 0.03 s so). What a pause holds too has no key: it is looked at again when the pause has ended (hold.sql).
WITH found AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::text::json) AS f (id uuid, hash text, scheduler text, keys varchar[])
),
locked AS MATERIALIZED (
  SELECT f.id, f.hash, f.scheduler, f.keys, q.paused, q.limits
  FROM found f, LATERAL (
    SELECT queue.limits, EXISTS (SELECT FROM rota_paused(queue.scheduler, queue.organisation, queue.plugin)) AS paused FROM queue
    WHERE queue.hash = f.hash AND (queue.scheduler, queue.id) IS NOT DISTINCT FROM (f.scheduler, f.id)
      AND queue.held = $3::boolean AND coalesce(queue.parked, 'none') = 'none'
    FOR UPDATE SKIP LOCKED
  ) AS q
),
-- Of 1970: before all keys that are due, of which there may be thousands (admit.sql).
known AS (
  INSERT INTO limiters AS l (key, next_at)
  SELECT DISTINCT k.key COLLATE "C", to_timestamp(0) FROM locked, unnest(locked.keys) AS k (key) WHERE NOT locked.paused ORDER BY 1
  ON CONFLICT (key) DO UPDATE SET next_at = EXCLUDED.next_at WHERE l.next_at = 'infinity'
),
-- One that was admitted, and is held by a pause or a patch since, gives its places back.
given_back AS (
  INSERT INTO limit_changes (key, unit, spent)
  SELECT k.key, locked.id::text, false FROM locked, unnest(locked.limits) AS k (key)
),
moved AS (
  UPDATE queue q
  SET held = l.paused OR l.keys <> '{}', limited_by = $2::bigint,
      limits = CASE WHEN NOT l.paused AND l.keys <> '{}' THEN l.keys END,
      parked = CASE WHEN l.paused THEN '' ELSE l.keys[1] END
  FROM locked l
  WHERE q.hash = l.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM (l.scheduler, l.id)
  RETURNING q.scheduler, q.held
)
SELECT (
    SELECT coalesce(json_object_agg(f.scheduler, f.count), '{}')
    FROM (SELECT m.scheduler, count(*) AS count FROM moved m WHERE NOT m.held GROUP BY 1) AS f
  ) AS freed,
  (SELECT count(*)::integer FROM found) - (SELECT count(*)::integer FROM locked) AS skipped
