-- A window has closed: rows that it let go and that no worker claimed are parked at it again.
-- returns parked (how many)
-- $1 its key, $2 rows at most
WITH chosen AS MATERIALIZED (
  SELECT a.hash, a.scheduler, a.id FROM rota_limit_admitted($1, $2) AS a, LATERAL (
    SELECT FROM queue WHERE queue.hash = a.hash AND (queue.scheduler, queue.id) IS NOT DISTINCT FROM (a.scheduler, a.id) AND NOT queue.held
    FOR UPDATE SKIP LOCKED
  ) AS q
),
known AS (
  INSERT INTO limiters AS l (key) SELECT $1 WHERE EXISTS (SELECT FROM chosen)
  ON CONFLICT (key) DO UPDATE SET next_at = now() WHERE l.next_at = 'infinity'
),
moved AS (
  UPDATE queue q SET held = true, parked = $1 FROM chosen c
  WHERE q.hash = c.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM (c.scheduler, c.id) RETURNING 1
)
SELECT count(*)::integer AS parked FROM moved
