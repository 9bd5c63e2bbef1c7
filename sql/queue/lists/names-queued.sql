-- Plug-ins or images of which tasks of a scheduler are queued, that begin with $2: one descent of the index each.
-- returns name
-- $1 scheduler, $2 beginning, $3 names at most, $4 names that are read at most. {column} is plugin or image.
WITH RECURSIVE names AS (
  (SELECT q.{column} AS name FROM queue q WHERE q.scheduler = $1 AND q.{column} >= $2 ORDER BY q.{column} LIMIT 1)
  UNION ALL
  SELECT (
    SELECT q.{column} FROM queue q WHERE q.scheduler = $1 AND q.{column} > n.name ORDER BY q.{column} LIMIT 1
  ) FROM names n WHERE n.name IS NOT NULL
),
-- As of organisations: what begins alike may not stand together.
read AS MATERIALIZED (SELECT name FROM names WHERE name IS NOT NULL LIMIT $4)
SELECT name FROM read WHERE starts_with(name, $2) LIMIT $3
