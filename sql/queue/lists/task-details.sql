-- What operators see of tasks beyond the wire: reason, attempts, who holds them, where they stand in the queue.
-- returns task (JSON text), reason, attempts, unbegun (claims whose holder never reported), lease_id, lease_worker, via, lease_until,
-- begun (null without a lease), held, limited (the limit or window that holds it), ahead, worker and times (ISO) of the last attempt, error, attempts_before,
-- changed (JSON); a row for each that exists
-- $1 ids, $2 whether to count what goes before them: else `ahead` is null
SELECT rota_task_json(t) AS task, t.reason, t.attempts, t.unbegun,
  l.lease_id, l.worker AS lease_worker, l.via, rota_timestamp(l.until) AS lease_until,
  l.begun OR t.status = 'RUNNING' AS begun,
  q.held, nullif(split_part(q.parked, '/', 1), '') AS limited,
  coalesce(l.worker, CASE WHEN l.via = 'rest' THEN l.holder END, t.worker) AS worker,
  rota_timestamp(coalesce(l.claimed_at, t.claimed_at)) AS claimed_at,
  rota_timestamp(t.started_at) AS started_at, rota_timestamp(t.ended_at) AS ended_at,
  t.error, coalesce(t.attempts_before, '[]') AS attempts_before, t.changed,
  -- Those that any worker may get before it: an index range from the low-water mark on; 10 000 and one more for one task, and as
  -- many together for several.
  CASE WHEN $2::boolean AND NOT q.held THEN (
    SELECT count(*)::float8 FROM (
      SELECT FROM queue o
      WHERE o.scheduler = q.scheduler AND NOT o.held AND (o.rank, o.created_at, o.id) < (q.rank, q.created_at, q.id)
        AND (o.rank, o.created_at) >= (
          coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = q.scheduler), -9223372036854775808),
          coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = q.scheduler), '-infinity'))
      ORDER BY o.rank, o.created_at, o.id LIMIT 10000 / cardinality($1::uuid[]) + 1
    ) AS before
  ) END AS ahead
FROM tasks t
LEFT JOIN leases l ON l.task_id = t.id
LEFT JOIN queue q ON q.hash = t.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM (t.scheduler_id, t.id)
WHERE t.id = ANY ($1::uuid[])
