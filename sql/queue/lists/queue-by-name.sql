-- The plug-ins or images of which tasks of a scheduler are queued: how many wait and how many pauses hold, and how long the oldest that may
-- be popped has waited, along an index and no further than $3 rows of each. Names are found one descent of the index each.
-- returns name, total (null: no roll-up has it), held, waiting, oldest_seconds, per_second (of images, as handed out over the last $4
-- seconds), by name
-- $1 scheduler, $2 names at most, $3 rows of each that are counted at most, $4 seconds to look back. {column} is plugin or image; {sizes} is queue-sizes.sql
WITH RECURSIVE names AS (
  (SELECT q.{column} AS name FROM queue q WHERE q.scheduler = $1 AND q.{column} IS NOT NULL ORDER BY q.{column} LIMIT 1)
  UNION ALL
  SELECT (
    SELECT q.{column} FROM queue q WHERE q.scheduler = $1 AND q.{column} > n.name ORDER BY q.{column} LIMIT 1
  ) FROM names n WHERE n.name IS NOT NULL
),
first_names AS MATERIALIZED (SELECT name FROM names WHERE name IS NOT NULL LIMIT $2)
SELECT n.name, NULL::float8 AS total, h.held, q.waiting, extract(epoch FROM now() - q.oldest_at)::float8 AS oldest_seconds,
  CASE WHEN '{column}' = 'image' THEN (
    SELECT coalesce(sum(i.tasks), 0)::float8 / $4 FROM image_pops i
    WHERE i.scheduler = $1 AND i.image = n.name AND i.until > now() - $4 * interval '1 second'
  ) END AS per_second
FROM first_names n,
  {sizes}
ORDER BY n.name
