-- OOIs are gone: their schedules are disabled and what is queued for them is cancelled, queue row and task together.
-- Queue rows are found by hash: that of a schedule is that of its tasks, but a boefje that runs on operations has none.
-- returns disabled (schedules), cancelled (a JSON array of {id, organisation, traceparent})
-- $1 scheduler, $2 organisations, $3 OOIs, pairwise
WITH pairs AS MATERIALIZED (
  SELECT DISTINCT * FROM unnest($2::text[], $3::text[]) AS pairs (organisation, ooi)
),
gone AS MATERIALIZED (
  SELECT s.id, s.hash, s.enabled
  FROM pairs
  JOIN schedules s
    ON s.organisation = pairs.organisation AND (s.data ->> 'input_ooi') = pairs.ooi AND s.scheduler_id = $1
),
hashes AS MATERIALIZED (
  SELECT hash FROM gone
  UNION
  SELECT t.hash
  FROM pairs
  JOIN tasks t ON t.organisation = pairs.organisation AND (t.data ->> 'input_ooi') = pairs.ooi AND t.type = 'boefje'
),
disabled AS (
  UPDATE schedules s
  SET enabled = false, disabled_reason = 'ooi-gone', claimed_until = NULL, modified_at = now()
  FROM gone WHERE s.id = gone.id AND s.enabled
  RETURNING s.id
),
unqueued AS (
  DELETE FROM queue q WHERE q.hash = ANY (ARRAY(SELECT hash FROM hashes)) AND q.scheduler IS NOT DISTINCT FROM $1
  RETURNING q.id
),
cancelled AS (
  UPDATE tasks t SET status = 'CANCELLED', reason = 'ooi-gone', modified_at = now(), ended_at = now(),
    changed = jsonb_build_object('action', 'cancel', 'by', 'rota', 'why', 'ooi-gone', 'at', rota_timestamp(now()))
  FROM unqueued WHERE t.id = unqueued.id
  RETURNING t.id, t.organisation, t.created_at, t.traceparent
),
recorded AS (
  INSERT INTO rare_outcomes (scheduler, status, created_at, task_id, organisation)
  SELECT $1, 'CANCELLED', created_at, id, organisation FROM cancelled
  ON CONFLICT (task_id) DO UPDATE SET status = EXCLUDED.status
)
SELECT (SELECT count(*)::integer FROM disabled) AS disabled,
  (SELECT coalesce(json_agg(to_json(told)), '[]')::text
    FROM (SELECT id, organisation, traceparent FROM cancelled) AS told) AS cancelled
