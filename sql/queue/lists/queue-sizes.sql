-- Part of a statement: how many rows of a queue pauses hold and how many may be popped, along the pop order and no further than {most}
-- of each, and since when the oldest of the latter waits. From the low-water mark on, which dead entries lie before.
-- {scheduler}: an expression; {of}: more conditions on alias q, which an index begins with
LATERAL (
  SELECT count(*)::float8 AS held FROM (
    SELECT FROM queue q WHERE q.scheduler = {scheduler} AND {of} AND q.held ORDER BY q.rank, q.created_at, q.id LIMIT {most}
  ) AS b
) AS h,
LATERAL (
  SELECT count(*)::float8 AS waiting, min(b.created_at) AS oldest_at FROM (
    SELECT q.created_at FROM queue q
    WHERE q.scheduler = {scheduler} AND {of} AND NOT q.held
      AND (q.rank, q.created_at) >= (
        coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = {scheduler}), -9223372036854775808),
        coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = {scheduler}), '-infinity'))
    ORDER BY q.rank, q.created_at, q.id LIMIT {most}
  ) AS b
) AS q
