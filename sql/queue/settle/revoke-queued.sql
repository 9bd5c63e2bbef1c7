-- Permissions ended: cancels what is queued under these hashes, queue row and task together, a person's pushes too.
-- returns cancelled (a JSON array of {id, organisation, traceparent})
-- $1 scheduler, $2 hashes, $3 reason
-- A row that is being claimed is waited for, not passed over: it is gone then, and revoked-of-hashes.sql finds its task.
WITH chosen AS MATERIALIZED (
  SELECT q.hash FROM queue q WHERE q.scheduler IS NOT DISTINCT FROM $1 AND q.hash = ANY ($2::text[]) ORDER BY q.hash FOR UPDATE
),
unqueued AS (
  DELETE FROM queue WHERE scheduler IS NOT DISTINCT FROM $1 AND hash = ANY (ARRAY(SELECT hash FROM chosen)) RETURNING id
),
cancelled AS (
  UPDATE tasks t SET status = 'CANCELLED', reason = $3, modified_at = now(), ended_at = now(),
    changed = jsonb_build_object('action', 'cancel', 'by', 'rota', 'why', $3::varchar, 'at', rota_timestamp(now()))
  WHERE t.id = ANY (ARRAY(SELECT id FROM unqueued))
  RETURNING t.id, t.organisation, t.created_at, t.traceparent
),
recorded AS (
  INSERT INTO rare_outcomes (scheduler, status, created_at, task_id, organisation)
  SELECT $1, 'CANCELLED', created_at, id, organisation FROM cancelled
  ON CONFLICT (task_id) DO UPDATE SET status = EXCLUDED.status
)
SELECT coalesce(json_agg(to_json(told)), '[]')::text AS cancelled
FROM (SELECT id, organisation, traceparent FROM cancelled) AS told
