-- The task that is popped next in each scheduler. Read from the low-water mark on: see claim-heads.sql.
-- returns scheduler, waited (seconds since it was made; 0 where nothing may be popped), in the order of $1
-- $1 schedulers
SELECT wanted.scheduler, coalesce(greatest(extract(epoch FROM now() - (
  SELECT q.created_at FROM queue q
  WHERE q.scheduler = wanted.scheduler AND NOT q.held
    AND (q.rank, q.created_at) >= (
      coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = wanted.scheduler), -9223372036854775808),
      coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = wanted.scheduler), '-infinity'))
  ORDER BY q.rank, q.created_at, q.id
  LIMIT 1
)), 0), 0)::float8 AS waited
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (scheduler, n)
ORDER BY wanted.n
