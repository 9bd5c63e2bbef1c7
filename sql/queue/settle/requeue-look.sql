-- Tasks that are about to be queued again, as a ranker sees them, oldest first: finished ones, or those whose leases
-- have expired.
-- returns id, scheduler, organisation, image ('' where it has none), manual, created_ms (epoch milliseconds)
-- $1 task ids, $2 whether they are finished
-- By key first: planned for a small table, the order alone had it read all tasks.
WITH named AS MATERIALIZED (
  SELECT id, scheduler_id, organisation, type, data, created_at, priority FROM tasks
  WHERE id = ANY ($1::uuid[]) AND (status IN ('COMPLETED', 'FAILED', 'CANCELLED')) = $2::boolean
)
SELECT n.id, n.scheduler_id AS scheduler, n.organisation, coalesce(c.image, '') AS image,
  extract(epoch FROM n.created_at)::float8 * 1000 AS created_ms, n.priority = 1 AS manual
FROM named n, rota_queue_columns(n.type, n.data) c
ORDER BY n.created_at, n.id
