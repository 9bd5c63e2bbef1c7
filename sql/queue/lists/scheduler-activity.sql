-- What is queued in each scheduler, counted as in queue-overview.sql, and when it last queued or handed out a task.
-- returns scheduler, total (by the roll-up), held, waiting, lastActivity (ISO, UTC, microseconds; null where never), in the order of $1
-- $1 schedulers, $2 rows that are counted at most
SELECT wanted.scheduler, h.held, q.waiting,
  coalesce((SELECT t.count::float8 FROM task_totals t WHERE t.scheduler = wanted.scheduler AND t.status = 'QUEUED'), 0) AS total,
  rota_timestamp(greatest(
    (SELECT max(t.created_at) FROM tasks t WHERE t.scheduler_id = wanted.scheduler),
    (SELECT max(l.claimed_at) FROM leases l WHERE l.scheduler = wanted.scheduler))) AS "lastActivity"
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (scheduler, n),
  LATERAL (
    SELECT count(*)::float8 AS held FROM (
      SELECT FROM queue o WHERE o.scheduler = wanted.scheduler AND o.held ORDER BY o.rank, o.created_at, o.id LIMIT $2
    ) AS b
  ) AS h,
  LATERAL (
    SELECT count(*)::float8 AS waiting FROM (
      SELECT FROM queue o
      WHERE o.scheduler = wanted.scheduler AND NOT o.held
        AND (o.rank, o.created_at) >= (
          coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = wanted.scheduler), -9223372036854775808),
          coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = wanted.scheduler), '-infinity'))
      ORDER BY o.rank, o.created_at, o.id LIMIT $2
    ) AS b
  ) AS q
ORDER BY wanted.n
