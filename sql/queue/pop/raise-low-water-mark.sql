-- Moves the low-water mark of a scheduler up to its first row that may be popped; of an empty queue to the end of all ranks, from
-- where the next push takes it down. Run with the exclusive advisory lock (7682119, scheduler) held, in a statement of its
-- own: its snapshot must be younger than the lock.
-- $1 scheduler
INSERT INTO queue_floors AS f (scheduler, rank, created_at)
SELECT $1, coalesce(head.rank, 9223372036854775807), coalesce(head.created_at, 'infinity')
FROM (SELECT) AS one LEFT JOIN (
  SELECT q.rank, q.created_at FROM queue q
  WHERE q.scheduler = $1 AND NOT q.held
    AND (q.rank, q.created_at) >= (
      coalesce((SELECT rank FROM queue_floors WHERE scheduler = $1), -9223372036854775808),
      coalesce((SELECT created_at FROM queue_floors WHERE scheduler = $1), '-infinity'))
  ORDER BY q.rank, q.created_at LIMIT 1
) AS head ON true
ON CONFLICT (scheduler) DO UPDATE SET rank = EXCLUDED.rank, created_at = EXCLUDED.created_at
WHERE (f.rank, f.created_at) <> (EXCLUDED.rank, EXCLUDED.created_at)
