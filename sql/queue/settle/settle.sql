-- Applies one patch to each of several tasks that settle-lock.sql locked: status, and what only REST changes.
-- returns n, code (null where it was done), scheduler, organisation, was, status, reason, task (JSON text where it is asked
-- for), traceparent, seconds since it began and plug-in (of what ended)
-- $1 patches as a JSON array, one a task; $2 seconds of a lease over REST; $3 whether to answer the tasks
WITH patches AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::text::json) AS p (
    n integer, id uuid, lease_id uuid, status taskstatus, priority integer, organisation text, data jsonb, reason text,
    superseded boolean, unclaimed boolean, unbegun boolean, rank bigint, error jsonb, doer text, why text)
),
-- By array, here and below: no estimate, and no plan made while the table was small, can turn this into a scan. `place`
-- stays true, since settle-lock.sql holds the rows: the update below looks nothing up again.
named AS MATERIALIZED (SELECT ctid AS place, * FROM tasks WHERE id = ANY (ARRAY(SELECT id FROM patches))),
leased AS MATERIALIZED (SELECT * FROM leases WHERE task_id = ANY (ARRAY(SELECT id FROM patches))),
found AS MATERIALIZED (
  SELECT p.n, p.id, t.place, p.lease_id, p.reason, p.superseded IS TRUE AS supersedable, p.unclaimed IS TRUE AS unclaimed,
    p.unbegun IS TRUE AS unbegun, p.status IS NULL AS silent, coalesce(p.status, t.status) AS becomes, t.status AS was,
    coalesce(p.priority, t.priority) AS priority, p.priority IS NOT NULL AS reranks,
    coalesce(p.organisation, t.organisation) AS organisation, coalesce(p.data, t.data) AS data,
    t.scheduler_id AS scheduler, t.settled_by, t.type, coalesce(t.hash, replace(t.id::text, '-', '')) AS hash, t.created_at,
    l.lease_id AS held_by, l.via, l.unit, l.claimed_at, p.error, p.doer, p.why,
    -- A runner over REST has no name: its token or address, if it gave one.
    coalesce(l.worker, CASE WHEN l.via = 'rest' THEN l.holder END) AS worker,
    -- A patch that names a priority means it.
    CASE WHEN p.priority IS NULL THEN coalesce(p.rank, l.rank) END AS rank
  FROM patches p
  LEFT JOIN named t ON t.id = p.id
  LEFT JOIN leased l ON l.task_id = p.id
),
-- Fencing: a patch that names a lease must name the one that is held; on a task claimed over NATS a patch without its lease may only cancel.
judged AS MATERIALIZED (
  SELECT f.*, look.repeated,
    CASE
      WHEN f.scheduler IS NULL THEN 'NOT_FOUND'
      WHEN look.repeated THEN NULL
      WHEN f.lease_id IS NOT NULL AND f.lease_id IS DISTINCT FROM f.held_by THEN 'LEASE_LOST'
      WHEN f.lease_id IS NULL AND f.via = 'nats' AND (f.silent OR f.becomes <> 'CANCELLED') THEN 'LEASE_LOST'
      WHEN NOT rota_may_follow(f.was, f.becomes) THEN 'CONFLICT'
    END AS refused
  FROM found f,
    -- What ended this lease comes again: its answer was lost. What was given back may be queued, or claimed by another.
    LATERAL (SELECT coalesce(f.lease_id = f.settled_by
      AND (f.becomes = 'QUEUED' AND f.was IN ('QUEUED', 'DISPATCHED', 'RUNNING')
        OR f.becomes = f.was AND f.was IN ('COMPLETED', 'FAILED', 'CANCELLED')), false) AS repeated) AS look
),
requeued AS (
  INSERT INTO queue (scheduler, held, rank, created_at, id, hash, organisation, plugin, image, deduplication_key, unit)
  SELECT j.scheduler, EXISTS (SELECT FROM rota_pausing(j.scheduler, j.organisation, c.plugin)),
    coalesce(j.rank, j.priority, 0), j.created_at, j.id, j.hash, j.organisation, c.plugin, c.image, c.deduplication_key,
    CASE WHEN j.unbegun THEN j.unit END
  FROM judged j, rota_queue_columns(j.type, j.data) c
  WHERE j.refused IS NULL AND NOT j.repeated AND j.becomes = 'QUEUED' AND j.was <> 'QUEUED'
  ORDER BY j.hash, j.created_at, j.id
  ON CONFLICT (hash, scheduler) DO NOTHING
  RETURNING id
),
-- A twin is queued: a patch is refused, what goes back by itself (an expired lease, a release) gives way to the twin.
decided AS MATERIALIZED (
  SELECT j.n, j.id, j.place, j.silent, j.was, j.scheduler, j.organisation, j.data, j.priority, j.reranks, j.type, j.hash,
    j.created_at, j.held_by, j.via, j.unclaimed, j.unbegun, j.repeated, j.worker, j.claimed_at,
    CASE WHEN superseded THEN 'rota' ELSE j.doer END AS doer,
    CASE WHEN superseded THEN 'superseded' ELSE j.why END AS why,
    CASE WHEN superseded
      THEN '{"code": "superseded", "message": "the same was queued again before this attempt ended"}'::jsonb ELSE j.error END AS error,
    CASE WHEN NOT j.supersedable THEN j.lease_id END AS settled_by,
    CASE WHEN j.repeated THEN j.was WHEN superseded THEN 'CANCELLED' ELSE j.becomes END AS becomes,
    CASE WHEN superseded THEN 'superseded' ELSE j.reason END AS reason,
    CASE WHEN twin AND NOT j.supersedable THEN 'CONFLICT' ELSE j.refused END AS code
  FROM judged j,
    LATERAL (SELECT j.refused IS NULL AND NOT j.repeated AND j.becomes = 'QUEUED' AND j.was <> 'QUEUED'
      AND NOT EXISTS (SELECT FROM requeued r WHERE r.id = j.id) AS twin) AS look,
    LATERAL (SELECT twin AND j.supersedable AS superseded) AS outcome
),
done AS MATERIALIZED (SELECT * FROM decided WHERE code IS NULL AND NOT repeated),
dequeued AS (
  DELETE FROM queue q USING done d
  WHERE d.was = 'QUEUED' AND d.becomes <> 'QUEUED' AND q.hash = d.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM (d.scheduler, d.id)
),
moved AS (
  UPDATE queue q
  SET rank = CASE WHEN d.reranks THEN d.priority ELSE q.rank END, organisation = d.organisation,
      held = EXISTS (SELECT FROM rota_pausing(d.scheduler, d.organisation, c.plugin)),
      plugin = c.plugin, image = c.image, deduplication_key = c.deduplication_key
  FROM done d, rota_queue_columns(d.type, d.data) c
  WHERE d.was = 'QUEUED' AND d.becomes = 'QUEUED' AND d.silent
    AND q.hash = d.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM (d.scheduler, d.id)
),
-- A lease lasts as long as the task is under way.
ended AS (
  DELETE FROM leases
  WHERE task_id = ANY (ARRAY(SELECT id FROM done WHERE becomes NOT IN ('DISPATCHED', 'RUNNING')))
),
-- A holder that knows no leases renews with each patch, and gets one with the patch that starts the work.
renewed AS (
  INSERT INTO leases (task_id, lease_id, scheduler, via, until, begun)
  SELECT d.id, gen_random_uuid(), d.scheduler, 'rest', now() + $2::float8 * interval '1 second', true
  FROM done d
  WHERE d.becomes IN ('DISPATCHED', 'RUNNING') AND d.via IS DISTINCT FROM 'nats'
  ON CONFLICT (task_id) DO UPDATE SET until = EXCLUDED.until, renewed_at = now(), begun = true
),
-- Over NATS its holder has reported: as in settle-held.sql.
lengthened AS (
  UPDATE leases
  SET begun = true, asked_ms = NULL, renewed_at = CASE WHEN asked_ms IS NULL THEN renewed_at ELSE now() END,
      until = coalesce(now() + asked_ms * interval '1 millisecond', until)
  WHERE task_id = ANY (ARRAY(SELECT id FROM done WHERE becomes IN ('DISPATCHED', 'RUNNING') AND via = 'nats'))
    AND NOT begun
),
recovered AS (
  DELETE FROM rare_outcomes
  WHERE task_id = ANY (ARRAY(SELECT id FROM done WHERE was IN ('FAILED', 'CANCELLED') AND becomes <> was))
),
remembered AS (
  INSERT INTO rare_outcomes (scheduler, status, created_at, task_id, organisation)
  SELECT d.scheduler, d.becomes, d.created_at, d.id, d.organisation
  FROM done d WHERE d.becomes IN ('FAILED', 'CANCELLED') AND d.was <> d.becomes
  ON CONFLICT (task_id) DO NOTHING
),
changed AS (
  UPDATE tasks t
  SET status = d.becomes, priority = d.priority, organisation = d.organisation, data = d.data,
      hash = coalesce(t.hash, d.hash), modified_at = now(),
      -- A retry starts again; a claim that reached no worker does not count.
      attempts = CASE
        WHEN d.becomes = 'QUEUED' AND d.was IN ('COMPLETED', 'FAILED', 'CANCELLED') THEN 0
        WHEN d.unclaimed THEN greatest(t.attempts - 1, 0)
        ELSE t.attempts END,
      unbegun = CASE
        WHEN d.becomes = 'QUEUED' AND d.was IN ('COMPLETED', 'FAILED', 'CANCELLED') THEN 0
        WHEN d.unbegun THEN t.unbegun + 1
        ELSE t.unbegun END,
      reason = CASE WHEN d.becomes = d.was THEN t.reason ELSE d.reason END,
      settled_by = CASE WHEN d.becomes = d.was OR d.becomes IN ('DISPATCHED', 'RUNNING') THEN t.settled_by ELSE d.settled_by END,
      -- Of the last attempt. What is queued again begins anew: the attempt that it had is in attempts_before.
      worker = CASE WHEN d.becomes = d.was THEN t.worker WHEN ends THEN d.worker END,
      claimed_at = CASE WHEN d.becomes = d.was THEN t.claimed_at WHEN ends THEN d.claimed_at END,
      started_at = CASE
        WHEN d.becomes = 'RUNNING' AND d.was <> 'RUNNING' THEN now()
        WHEN d.becomes = d.was OR ends THEN t.started_at END,
      ended_at = CASE WHEN d.becomes = d.was THEN t.ended_at WHEN ends THEN now() END,
      error = CASE WHEN d.becomes = d.was THEN t.error WHEN d.becomes IN ('FAILED', 'CANCELLED') THEN d.error END,
      attempts_before = CASE
        -- A claim that reached no worker was no attempt, and what was cancelled in the queue had none.
        WHEN d.becomes = 'QUEUED' AND NOT (d.unclaimed AND d.error IS NULL)
          AND (d.was IN ('DISPATCHED', 'RUNNING', 'FAILED') OR d.was = 'CANCELLED' AND t.claimed_at IS NOT NULL)
        THEN jsonb_path_query_array(coalesce(t.attempts_before, '[]') || jsonb_strip_nulls(jsonb_build_object(
          'outcome', CASE
            WHEN d.was IN ('FAILED', 'CANCELLED') THEN lower(d.was::text)
            WHEN d.doer = 'rota' THEN 'expired' WHEN d.doer IS NOT NULL THEN 'released' ELSE 'given-back' END,
          'worker', coalesce(d.worker, t.worker),
          'claimed_at', rota_timestamp(coalesce(d.claimed_at, t.claimed_at)),
          'started_at', rota_timestamp(t.started_at),
          'ended_at', rota_timestamp(coalesce(t.ended_at, now())),
          'error', coalesce(d.error, t.error) - 'detail')), '$[last - 9 to last]')
        ELSE t.attempts_before END,
      changed = CASE WHEN d.becomes <> d.was AND d.doer IS NOT NULL
        THEN jsonb_strip_nulls(jsonb_build_object(
          'action', CASE
            WHEN d.becomes = 'CANCELLED' THEN 'cancel' WHEN d.becomes = 'FAILED' THEN 'fail'
            WHEN d.was IN ('DISPATCHED', 'RUNNING') THEN 'release' ELSE 'retry' END,
          'by', d.doer, 'why', d.why, 'at', rota_timestamp(now())))
        ELSE t.changed END
  FROM done d, LATERAL (SELECT d.becomes IN ('COMPLETED', 'FAILED', 'CANCELLED') AS ends) AS look
  WHERE t.ctid = d.place
  RETURNING t.id, CASE WHEN $3::boolean THEN rota_task_json(t) END AS task, t.traceparent,
    CASE WHEN ends THEN date_part('epoch', now() - t.started_at) END AS seconds,
    -- By its size as stored, which costs no look into what is large.
    CASE WHEN ends AND pg_column_size(t.data) <= 4096 THEN
      CASE t.type WHEN 'boefje' THEN t.data #>> '{boefje,id}' WHEN 'normalizer' THEN t.data #>> '{normalizer,id}' END
    END AS plugin
)
SELECT d.n, d.code, d.scheduler, d.organisation, d.was, d.becomes AS status, d.reason,
  CASE WHEN d.repeated AND $3::boolean THEN (SELECT rota_task_json(t) FROM tasks t WHERE t.id = d.id) ELSE c.task END AS task,
  c.traceparent, c.seconds, c.plugin
FROM decided d LEFT JOIN changed c ON c.id = d.id
ORDER BY d.n
