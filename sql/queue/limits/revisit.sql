-- A limit has other numbers, or has ended: its keys are due at once, a part of them at a time, for there may be a million. Where they let
-- go more than they may now, what no worker has claimed yet is held and looked at again, so that the numbers hold for that too. What is being
-- claimed at this moment is not: it was claimed before. What a window let go is parked where it closes (close.sql). Run with the lock of lock.sql held.
-- returns is_left (keys that were not looked at yet)
-- $1 name, $2 keys and $3 rows at most
WITH changed AS MATERIALIZED (
  SELECT l.name, l.revisit, l.removed_at IS NULL AS holds FROM limits l WHERE l.name = $1 AND l.revisit IS NOT NULL
),
chosen AS MATERIALIZED (
  SELECT k.key FROM changed c, LATERAL (
    SELECT limiters.key FROM limiters WHERE limiters.key >= c.name || '/' AND limiters.key < c.name || '0' AND limiters.key > c.revisit
    ORDER BY limiters.key LIMIT $2::integer
  ) AS k
),
-- Of keys that let go more than they may by now: what a look admits again is not recalled again.
admitted AS MATERIALIZED (
  SELECT a.hash, a.scheduler, a.id FROM changed c, rota_limits_admitted(
    ARRAY(SELECT s.key FROM rota_limit_states(ARRAY(SELECT chosen.key FROM chosen), '{}'::varchar[], '{}'::timestamptz[]) AS s WHERE s.over), $3::integer) AS a
  WHERE c.holds
),
locked AS MATERIALIZED (
  SELECT a.hash, a.scheduler, a.id FROM admitted a, LATERAL (
    SELECT FROM queue WHERE queue.hash = a.hash AND (queue.scheduler, queue.id) IS NOT DISTINCT FROM (a.scheduler, a.id) AND NOT queue.held
    FOR UPDATE SKIP LOCKED
  ) AS q
),
recalled AS (
  UPDATE queue q SET held = true, parked = NULL FROM locked l
  WHERE q.hash = l.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM (l.scheduler, l.id)
),
due AS (
  UPDATE limiters l SET next_at = now() FROM chosen c WHERE l.key = c.key AND l.next_at < 'infinity'
),
-- Where there were more rows than it takes, the same keys again.
parts AS MATERIALIZED (
  SELECT CASE WHEN (SELECT count(*) FROM admitted) = $3::integer THEN (SELECT c.revisit FROM changed c)
    WHEN count(*) = $2::integer THEN max(chosen.key) END AS revisit FROM chosen
),
moved AS (UPDATE limits l SET revisit = p.revisit FROM parts p WHERE l.name = $1)
SELECT p.revisit IS NOT NULL AS is_left FROM parts p
