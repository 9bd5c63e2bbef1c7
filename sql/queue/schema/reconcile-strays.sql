-- Queue rows whose task is not queued and leases whose task is not under way: mula or a person changed it meanwhile.
-- Looks up tasks by id only.
-- returns id of each task
WITH dequeued AS (
  DELETE FROM queue q WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.id = q.id AND t.status = 'QUEUED')
  RETURNING q.id
),
unleased AS (
  DELETE FROM leases l
  WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.id = l.task_id AND t.status IN ('DISPATCHED', 'RUNNING'))
  RETURNING l.task_id AS id
)
SELECT id FROM dequeued UNION SELECT id FROM unleased
