-- Renews leases that are still held, be they expired: as long as no sweep has taken one, no other worker has the task.
-- returns task_id and lease_id of each that was
-- $1 task ids, $2 lease ids, one for each task, $3 milliseconds from now: one for each task, or one for all; null keeps the length
-- that the lease has, or that its claim asked for
-- By array: a join's plan depends on how many leases there were when it was made.
WITH held AS MATERIALIZED (
  SELECT task_id FROM leases
  WHERE task_id = ANY ($1::uuid[]) AND (task_id, lease_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
  ORDER BY task_id FOR UPDATE
)
UPDATE leases SET renewed_at = now(), begun = true, asked_ms = NULL, until = now() + coalesce(
  -- By lease and not by task: only its holder knows a lease, so that no other client shortens it.
  ($3::float8[])[CASE WHEN cardinality($3::float8[]) = 1 THEN 1 ELSE array_position($2::uuid[], lease_id) END]
    * interval '1 millisecond',
  asked_ms * interval '1 millisecond', until - renewed_at)
WHERE task_id = ANY (ARRAY(SELECT task_id FROM held))
RETURNING task_id, lease_id
