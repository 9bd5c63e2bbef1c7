-- What nothing refers to any more: limits that were removed, once what they held is let go; changes that no releaser folds, where no limit is
-- left; of a stretch of the limiters those at which nothing waits and whose claims are long past. Run with the lock of lock.sql held.
-- returns after: where the next stretch begins; null at the end
-- $1 the key to begin after, $2 limiters at most
WITH gone AS (
  DELETE FROM limits l
  WHERE l.removed_at < now() - interval '1 minute' AND NOT l.by_katalogus
    AND NOT EXISTS (SELECT FROM queue q WHERE q.held AND q.parked >= l.name || '/' AND q.parked < l.name || '0')
),
changes AS (DELETE FROM limit_changes WHERE NOT EXISTS (SELECT FROM limits)),
stretch AS MATERIALIZED (
  SELECT k.key, k.next_at = 'infinity' AND k.tat < now() - interval '1 hour'
      OR NOT EXISTS (SELECT FROM limits l WHERE l.name = split_part(k.key, '/', 1)) AS past
  FROM (SELECT * FROM limiters WHERE limiters.key > $1::varchar ORDER BY limiters.key LIMIT $2::integer) AS k
),
forgotten AS (DELETE FROM limiters k USING stretch s WHERE s.past AND k.key = s.key)
SELECT CASE WHEN count(*) = $2::integer THEN max(s.key) END AS after FROM stretch s
