-- Organisations of which a task was queued once (queued_organisations keeps them at 0) or Katalogus told, that begin with $2.
-- returns name
-- $1 schedulers, $2 beginning, $3 names at most, $4 rows that are read of each at most
-- A linguistic collation may put other names between those that begin alike: bounded by rows, not by a range. What begins with $2 is not
-- before it in any.
SELECT DISTINCT name
FROM (
  (SELECT o.organisation AS name FROM unnest($1::text[]) AS wanted (scheduler), LATERAL (
    SELECT q.organisation FROM queued_organisations q
    WHERE q.scheduler = wanted.scheduler AND q.organisation >= $2 ORDER BY q.organisation LIMIT $4
  ) AS o)
  UNION ALL
  (SELECT s.organisation FROM seen_boefjes s WHERE s.organisation >= $2 ORDER BY s.organisation LIMIT $4)
) AS known
WHERE starts_with(name, $2)
ORDER BY name
LIMIT $3
