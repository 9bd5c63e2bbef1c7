-- Every scheduler of which there is a row, by one index descent each: 300 organisations' tasks of all schedulers are looked for in each.
-- returns scheduler
-- {table}: tasks or schedules, both with an index that begins with scheduler_id
WITH RECURSIVE found (scheduler) AS (
  (SELECT r.scheduler_id FROM {table} r ORDER BY r.scheduler_id LIMIT 1)
  UNION ALL
  SELECT (SELECT r.scheduler_id FROM {table} r WHERE r.scheduler_id > f.scheduler ORDER BY r.scheduler_id LIMIT 1)
  FROM found f WHERE f.scheduler IS NOT NULL
)
SELECT scheduler FROM found WHERE scheduler IS NOT NULL
