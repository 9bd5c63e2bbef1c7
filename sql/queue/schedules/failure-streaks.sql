-- The newest tasks of each hash, newest first: what counts its failures in a row (schedule-store.ts).
-- returns hash, status, version and image of its boefje, modified_ms (epoch milliseconds)
-- $1 schedulers, $2 hashes, pairwise; $3 tasks of each at most
-- IS NOT DISTINCT FROM as in latest-tasks.sql.
SELECT t.hash, lower(t.status::text) AS status, t.data #>> '{boefje,version}' AS version,
  t.data #>> '{boefje,oci_image}' AS image, floor(extract(epoch FROM t.modified_at) * 1000)::float8 AS modified_ms
FROM (SELECT DISTINCT scheduler, hash FROM unnest($1::text[], $2::text[]) AS w (scheduler, hash)) AS wanted
CROSS JOIN LATERAL (
  SELECT * FROM tasks
  WHERE tasks.hash = wanted.hash AND tasks.scheduler_id IS NOT DISTINCT FROM wanted.scheduler
  ORDER BY tasks.created_at DESC
  LIMIT $3
) AS t
ORDER BY t.hash, t.created_at DESC
