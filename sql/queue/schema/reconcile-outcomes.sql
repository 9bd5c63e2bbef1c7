-- Failed and cancelled tasks.
-- $1 created from then on, $2 or one of these ids
INSERT INTO rare_outcomes (scheduler, status, created_at, task_id, organisation)
SELECT t.scheduler_id, t.status, t.created_at, t.id, t.organisation
FROM tasks t
WHERE t.status IN ('FAILED', 'CANCELLED') AND (t.created_at >= $1::timestamptz OR t.id = ANY ($2::uuid[]))
  AND NOT EXISTS (SELECT FROM rare_outcomes o WHERE o.task_id = t.id)
ON CONFLICT DO NOTHING
