-- All tasks, into empty counts: at adoption, and after mula has been back, whose changes were not counted. What is in
-- task_changes is folded later, so it is taken off here: one snapshot shows both. The lock of fold-counts.sql is held.
WITH counted AS MATERIALIZED (
  SELECT t.scheduler_id AS scheduler, t.organisation, t.status, count(*) AS count,
    CASE WHEN t.modified_at > now() - interval '27 hours' THEN date_trunc('hour', t.modified_at, 'UTC') END AS hour
  FROM tasks t
  GROUP BY 1, 2, 3, 5
  UNION ALL
  SELECT c.scheduler, c.organisation, c.status, -sum(x.delta), date_trunc('hour', c.moment, 'UTC')
  FROM task_changes x,
    unnest(x.schedulers, x.organisations, x.statuses, x.moments) AS c (scheduler, organisation, status, moment)
  GROUP BY 1, 2, 3, 5
),
totals AS (
  INSERT INTO task_totals (scheduler, status, count) SELECT scheduler, status, sum(count) FROM counted GROUP BY 1, 2
)
INSERT INTO task_counts (scheduler, organisation, hour, status, count)
SELECT scheduler, organisation, hour, status, sum(count) FROM counted
WHERE hour > now() - interval '26 hours'
GROUP BY 1, 2, 3, 4
HAVING sum(count) <> 0
