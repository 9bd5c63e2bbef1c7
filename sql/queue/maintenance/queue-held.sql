-- What pauses hold in each scheduler, counted along the primary key and no further than $2 rows.
-- returns scheduler, held, in the order of $1
-- $1 schedulers, $2 rows that are counted at most
SELECT wanted.scheduler, (
  SELECT count(*)::float8 FROM (
    SELECT FROM queue q WHERE q.scheduler = wanted.scheduler AND q.held ORDER BY q.rank, q.created_at, q.id LIMIT $2
  ) AS counted
) AS held
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (scheduler, n)
ORDER BY wanted.n
