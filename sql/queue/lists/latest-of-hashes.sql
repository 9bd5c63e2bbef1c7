-- The latest task of each hash; hashes without a task have no row.
-- returns hash, id, status, at (ISO, of its last change)
-- $1 schedulers, $2 hashes, pairwise
-- IS NOT DISTINCT FROM as in latest-tasks.sql.
SELECT t.hash, t.id, lower(t.status::text) AS status, rota_timestamp(t.modified_at) AS at
FROM (SELECT DISTINCT scheduler, hash FROM unnest($1::text[], $2::text[]) AS w (scheduler, hash)) AS wanted
CROSS JOIN LATERAL (
  SELECT * FROM tasks
  WHERE tasks.hash = wanted.hash AND tasks.scheduler_id IS NOT DISTINCT FROM wanted.scheduler
  ORDER BY tasks.created_at DESC
  LIMIT 1
) AS t
