-- What limits hold back: rows that are parked at their keys, along the index and no further than $2 of each.
-- returns waiting, keys (of those rows), oldest_seconds, in the order of $1
-- $1 names, $2 rows that are counted at most
SELECT h.waiting::float8 AS waiting, h.keys::float8 AS keys, extract(epoch FROM now() - h.oldest_at)::float8 AS oldest_seconds
FROM unnest($1::varchar[]) WITH ORDINALITY AS wanted (name, n), LATERAL (
  SELECT count(*) AS waiting, count(DISTINCT b.parked) AS keys, min(b.created_at) AS oldest_at FROM (
    SELECT q.parked, q.created_at FROM queue q
    WHERE q.held AND q.parked >= wanted.name || '/' AND q.parked < wanted.name || '0'
    ORDER BY q.parked, q.rank, q.created_at, q.id LIMIT $2
  ) AS b
) AS h
ORDER BY wanted.n
