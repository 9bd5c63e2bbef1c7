-- How long workers took for the tasks of a scheduler that ended lately, by plug-in, and how many they worked on at once.
-- returns plugin (null of all), ended, completed, quantiles (seconds: 21 of them, from the least to the most), at_once (of all; tasks
--   of a group that one claim took are one), at_once_lately (within the last hour), looked (tasks that were looked at), since_ms
--   (epoch milliseconds: when the first of those was made)
-- $1 scheduler, $2 seconds that count, $3 made before (ISO), $4 tasks that are looked at, the newest first, $5 rows at most
WITH looked AS MATERIALIZED (
  SELECT type, data, status, coalesce(started_at, claimed_at) AS began, ended_at, claimed_at, worker, created_at
  FROM tasks WHERE scheduler_id = $1 AND created_at <= $3::text::timestamptz ORDER BY created_at DESC LIMIT $4
),
ended AS MATERIALIZED (
  SELECT c.plugin, l.status = 'COMPLETED' AS completed, l.began, l.ended_at,
    extract(epoch FROM l.ended_at - l.began)::float8 AS seconds,
    c.deduplication_key IS NULL OR row_number() OVER (PARTITION BY c.deduplication_key, l.worker, l.claimed_at) = 1 AS leads
  FROM looked l, rota_queue_columns(l.type, l.data) AS c
  WHERE l.status IN ('COMPLETED', 'FAILED') AND l.ended_at > now() - $2 * interval '1 second' AND l.began IS NOT NULL
    AND l.ended_at >= l.began
),
-- Ends before beginnings: a worker that goes on at once works on one task.
turns AS (
  SELECT at, sum(step) OVER (ORDER BY at, step ROWS UNBOUNDED PRECEDING) AS running
  FROM (SELECT began AS at, 1 AS step FROM ended WHERE leads UNION ALL SELECT ended_at, -1 FROM ended WHERE leads) AS steps
)
SELECT e.plugin, count(*)::float8 AS ended, count(*) FILTER (WHERE e.completed)::float8 AS completed,
  percentile_cont(ARRAY[0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1])
    WITHIN GROUP (ORDER BY e.seconds) AS quantiles,
  (SELECT max(running)::float8 FROM turns) AS at_once,
  (SELECT max(running)::float8 FROM turns WHERE at > now() - interval '1 hour') AS at_once_lately,
  (SELECT count(*)::float8 FROM looked) AS looked, (SELECT extract(epoch FROM min(created_at))::float8 * 1000 FROM looked) AS since_ms
FROM ended e
GROUP BY GROUPING SETS ((e.plugin), ())
ORDER BY grouping(e.plugin) DESC, ended DESC, e.plugin
LIMIT $5
