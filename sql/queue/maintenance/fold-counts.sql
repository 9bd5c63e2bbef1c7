-- Folds what changed into the counts. One supervisor at a time; the others find nothing to do.
-- $1 an advisory lock key of its own
WITH alone AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($1::bigint) AS granted),
gone AS (
  DELETE FROM task_changes WHERE (SELECT granted FROM alone)
  RETURNING schedulers, organisations, statuses, moments, delta
),
changed AS MATERIALIZED (
  SELECT c.scheduler, c.organisation, date_trunc('hour', c.moment, 'UTC') AS hour, c.status, sum(gone.delta) AS count
  FROM gone, unnest(schedulers, organisations, statuses, moments) AS c (scheduler, organisation, status, moment)
  GROUP BY 1, 2, 3, 4
  HAVING sum(gone.delta) <> 0
),
totals AS (
  INSERT INTO task_totals AS t (scheduler, status, count)
  SELECT scheduler, status, sum(count) FROM changed GROUP BY 1, 2 HAVING sum(count) <> 0
  ON CONFLICT (scheduler, status) DO UPDATE SET count = t.count + EXCLUDED.count
),
queued AS (
  INSERT INTO queued_organisations AS t (scheduler, organisation, count)
  SELECT scheduler, organisation, sum(count) FROM changed WHERE status = 'QUEUED' GROUP BY 1, 2 HAVING sum(count) <> 0
  ON CONFLICT (scheduler, organisation) DO UPDATE SET count = t.count + EXCLUDED.count
)
INSERT INTO task_counts AS t (scheduler, organisation, hour, status, count)
SELECT scheduler, organisation, hour, status, count FROM changed WHERE hour > now() - interval '26 hours'
ON CONFLICT (scheduler, organisation, hour, status) DO UPDATE SET count = t.count + EXCLUDED.count
