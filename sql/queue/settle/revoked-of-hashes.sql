-- Tasks of these hashes that are handed out and have not begun. The latest of a hash is the one that is under way.
-- returns id, organisation
-- $1 scheduler, $2 hashes
-- IS NOT DISTINCT FROM as in latest-tasks.sql.
SELECT t.id, t.organisation
FROM (SELECT DISTINCT unnest($2::text[]) AS hash) AS wanted
CROSS JOIN LATERAL (
  SELECT * FROM tasks
  WHERE tasks.hash = wanted.hash AND tasks.scheduler_id IS NOT DISTINCT FROM $1
  ORDER BY tasks.created_at DESC
  LIMIT 1
) AS t
WHERE t.status = 'DISPATCHED'
