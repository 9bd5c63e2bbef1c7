-- When pops last asked for each of these images, of the $3 last rows of each: where as many tasks of one went to pops that named none, those
-- have it.
-- returns n (place in $1), asked_ms (null: not within those rows)
-- $1 schedulers, $2 images, one of each, $3 rows of each that are read at most
SELECT wanted.n::float8 AS n, (
  SELECT extract(epoch FROM max(p.until) FILTER (WHERE p.asked))::float8 * 1000
  FROM (
    SELECT i.until, i.asked FROM image_pops i WHERE i.scheduler = wanted.scheduler AND i.image = wanted.image
    ORDER BY i.until DESC LIMIT $3
  ) AS p
) AS asked_ms
FROM unnest($1::varchar[], $2::varchar[]) WITH ORDINALITY AS wanted (scheduler, image, n)
ORDER BY wanted.n
