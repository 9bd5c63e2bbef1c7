-- A limit has other numbers: what it let go and no worker has claimed yet is looked at again, so that they hold for that too. What is being
-- claimed at this moment is not: it was claimed before. Run with the lock of lock.sql held.
-- $1 name
WITH chosen AS MATERIALIZED (
  SELECT DISTINCT a.hash, a.scheduler, a.id
  FROM limiters l, rota_limit_admitted(l.key, 10000) AS a
  WHERE l.key >= $1::varchar || '/' AND l.key < $1::varchar || '0'
),
locked AS MATERIALIZED (
  SELECT c.hash, c.scheduler, c.id FROM chosen c, LATERAL (
    SELECT FROM queue WHERE queue.hash = c.hash AND (queue.scheduler, queue.id) IS NOT DISTINCT FROM (c.scheduler, c.id) AND NOT queue.held
    FOR UPDATE SKIP LOCKED
  ) AS q
)
UPDATE queue q SET held = true, parked = NULL FROM locked l
WHERE q.hash = l.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM (l.scheduler, l.id)
