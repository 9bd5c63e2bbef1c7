-- The queue by organisation, into an empty table. What is in task_changes is folded later, so it is taken off here: one
-- snapshot shows both. The lock of fold-counts.sql is held.
WITH counted AS (
  SELECT q.scheduler, q.organisation, count(*) AS count FROM queue q GROUP BY 1, 2
  UNION ALL
  SELECT c.scheduler, c.organisation, -sum(x.delta)
  FROM task_changes x, unnest(x.schedulers, x.organisations, x.statuses) AS c (scheduler, organisation, status)
  WHERE c.status = 'QUEUED'
  GROUP BY 1, 2
)
INSERT INTO queued_organisations (scheduler, organisation, count)
SELECT scheduler, organisation, sum(count) FROM counted GROUP BY 1, 2 HAVING sum(count) <> 0
