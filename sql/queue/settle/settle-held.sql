-- Begins or ends tasks that their workers hold: patches to running, completed or failed that name the lease, each task once. What begins
-- has its lease for as long as its claim asked, from now on.
-- returns n (from 0), scheduler, organisation, was, status, task (JSON text where it is asked for), traceparent, and of
-- what ended the seconds since it began and its plug-in: one row for each that is done
-- $1 task ids, $2 their leases, $3 what they become, $4 whether to answer the tasks, $5 why each failed (JSON texts; null where none says)
-- One statement without a lock before it, which costs half of what settle.sql does (docs/design-choices.md): a task that
-- changed after this snapshot stands elsewhere, and was written by another transaction, by the time that it is updated. It is
-- left out, as is any other task whose state is not what its worker believes; settle.sql then says why. A lease never changes
-- hands without a change of the task, so the lease need not be locked.
WITH patches AS MATERIALIZED (
  SELECT n - 1 AS n, id, lease_id, status, error
  FROM unnest($1::uuid[], $2::uuid[], $3::taskstatus[], $5::text[]) WITH ORDINALITY AS p (id, lease_id, status, error, n)
),
leased AS MATERIALIZED (
  SELECT task_id, lease_id, asked_ms, worker, claimed_at FROM leases WHERE task_id = ANY ($1::uuid[]) AND via = 'nats'
),
named AS MATERIALIZED (
  SELECT ctid AS place, xmin AS version, id, status AS was FROM tasks
  WHERE id = ANY ($1::uuid[]) AND status IN ('DISPATCHED', 'RUNNING')
),
-- Full joins, since those are hashed at any estimate: a set of 200 that is compared with itself takes three times as long.
held AS MATERIALIZED (
  SELECT p.n, l.task_id AS id, l.lease_id, l.asked_ms, l.worker, l.claimed_at, p.status, p.error
  FROM patches p FULL JOIN leased l ON l.task_id = p.id AND l.lease_id = p.lease_id
),
due AS MATERIALIZED (
  SELECT h.n, h.status, h.lease_id, h.asked_ms, h.worker, h.claimed_at, h.error, t.place, t.version, t.was
  FROM held h FULL JOIN named t ON t.id = h.id
  ORDER BY t.id
),
changed AS (
  UPDATE tasks t
  SET status = d.status, modified_at = now(), reason = CASE WHEN d.status = d.was THEN t.reason END,
      settled_by = CASE WHEN d.status = 'RUNNING' THEN t.settled_by ELSE d.lease_id END,
      started_at = CASE WHEN d.status = 'RUNNING' AND d.was = 'DISPATCHED' THEN now() ELSE t.started_at END,
      worker = CASE WHEN d.status <> 'RUNNING' THEN d.worker END,
      claimed_at = CASE WHEN d.status <> 'RUNNING' THEN d.claimed_at END,
      ended_at = CASE WHEN d.status <> 'RUNNING' THEN now() END,
      error = CASE WHEN d.status = 'FAILED' THEN d.error::jsonb END
  FROM due d
  WHERE t.ctid = d.place AND t.xmin = d.version AND d.status IS NOT NULL
  RETURNING d.n, d.asked_ms, t.id, t.scheduler_id AS scheduler, t.organisation, d.was, t.status, t.created_at,
    CASE WHEN $4::boolean THEN rota_task_json(t) END AS task, t.traceparent,
    CASE WHEN d.status <> 'RUNNING' THEN date_part('epoch', now() - t.started_at) END AS seconds,
    -- By its size as stored, which costs no look into what is large.
    CASE WHEN d.status <> 'RUNNING' AND pg_column_size(t.data) <= 4096 THEN
      CASE t.type WHEN 'boefje' THEN t.data #>> '{boefje,id}' WHEN 'normalizer' THEN t.data #>> '{normalizer,id}' END
    END AS plugin
),
ended AS (DELETE FROM leases WHERE task_id = ANY (ARRAY(SELECT id FROM changed WHERE status <> 'RUNNING'))),
-- A lease that has its length already is not written: the task's status shows that it has begun.
lengthened AS (
  UPDATE leases SET until = now() + asked_ms * interval '1 millisecond', renewed_at = now(), asked_ms = NULL
  WHERE task_id = ANY (ARRAY(SELECT id FROM changed WHERE status = 'RUNNING' AND asked_ms IS NOT NULL))
    AND asked_ms IS NOT NULL
),
remembered AS (
  INSERT INTO rare_outcomes (scheduler, status, created_at, task_id, organisation)
  SELECT scheduler, status, created_at, id, organisation FROM changed WHERE status = 'FAILED'
  ON CONFLICT (task_id) DO NOTHING
)
SELECT n::integer, scheduler, organisation, was, status, task, traceparent, seconds, plugin FROM changed
