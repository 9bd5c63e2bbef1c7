-- What nothing refers to any more: limits that were removed, once what they held is let go; limiters at which nothing waits and whose
-- claims are long past; changes that no releaser folds, where no limit is left.
WITH gone AS (
  DELETE FROM limits l
  WHERE l.removed_at < now() - interval '1 minute' AND NOT l.by_katalogus
    AND NOT EXISTS (SELECT FROM queue q WHERE q.held AND q.parked >= l.name || '/' AND q.parked < l.name || '0')
),
changes AS (DELETE FROM limit_changes WHERE NOT EXISTS (SELECT FROM limits))
DELETE FROM limiters k
WHERE k.next_at = 'infinity' AND k.tat < now() - interval '1 hour'
  OR NOT EXISTS (SELECT FROM limits l WHERE l.name = split_part(k.key, '/', 1))
