-- What is queued in each scheduler, counted as in queue-overview.sql, and when it last queued or handed out a task.
-- returns scheduler, total (by the roll-up), held, waiting, lastActivity (ISO, UTC, microseconds; null where never), in the order of $1
-- $1 schedulers, $2 rows that are counted at most; {sizes} is queue-sizes.sql
SELECT wanted.scheduler, h.held, q.waiting,
  coalesce((SELECT t.count::float8 FROM task_totals t WHERE t.scheduler = wanted.scheduler AND t.status = 'QUEUED'), 0) AS total,
  rota_timestamp(greatest(
    (SELECT max(t.created_at) FROM tasks t WHERE t.scheduler_id = wanted.scheduler),
    (SELECT max(l.claimed_at) FROM leases l WHERE l.scheduler = wanted.scheduler))) AS "lastActivity"
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (scheduler, n),
  {sizes}
ORDER BY wanted.n
