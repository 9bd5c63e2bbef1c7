-- What is queued in each scheduler, from the roll-up and a second old at most, and when it last queued or handed out a task.
-- returns scheduler, queued, lastActivity (ISO, UTC, microseconds; null where never), in the order of $1
-- $1 schedulers
SELECT wanted.scheduler,
  coalesce((SELECT t.count::float8 FROM task_totals t WHERE t.scheduler = wanted.scheduler AND t.status = 'QUEUED'), 0) AS queued,
  rota_timestamp(greatest(
    (SELECT max(t.created_at) FROM tasks t WHERE t.scheduler_id = wanted.scheduler),
    (SELECT max(l.claimed_at) FROM leases l WHERE l.scheduler = wanted.scheduler))) AS "lastActivity"
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (scheduler, n)
ORDER BY wanted.n
