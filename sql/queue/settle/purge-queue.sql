-- Cancels some queued tasks of an organisation, queue row and task together.
-- returns cancelled (a JSON array of {id, organisation, traceparent})
-- $1 scheduler, $2 organisation, $3 tasks at most, $4 who purges
WITH chosen AS MATERIALIZED (
  SELECT q.hash FROM queue q WHERE q.scheduler = $1 AND q.organisation = $2 LIMIT $3 FOR UPDATE SKIP LOCKED
),
unqueued AS (
  DELETE FROM queue WHERE hash = ANY (ARRAY(SELECT hash FROM chosen)) AND scheduler IS NOT DISTINCT FROM $1 RETURNING id
),
cancelled AS (
  UPDATE tasks t SET status = 'CANCELLED', reason = 'purged', modified_at = now(), ended_at = now(),
    changed = jsonb_build_object('action', 'cancel', 'by', $4::text, 'why', 'purged', 'at', rota_timestamp(now()))
  FROM unqueued WHERE t.id = unqueued.id
  RETURNING t.id, t.organisation, t.created_at, t.traceparent
),
recorded AS (
  INSERT INTO rare_outcomes (scheduler, status, created_at, task_id, organisation)
  SELECT $1, 'CANCELLED', created_at, id, organisation FROM cancelled
  ON CONFLICT (task_id) DO UPDATE SET status = EXCLUDED.status
)
SELECT coalesce(json_agg(to_json(told)), '[]')::text AS cancelled
FROM (SELECT id, organisation, traceparent FROM cancelled) AS told
