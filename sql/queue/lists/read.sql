-- returns id, task (JSON text), held_by (lease over NATS) and settled_by (the lease whose holder ended it last) of the tasks that exist
-- $1 ids
SELECT t.id, rota_task_json(t) AS task, t.settled_by,
  -- Not a join: its plan depends on how many leases there were when it was made.
  (SELECT l.lease_id FROM leases l WHERE l.task_id = t.id AND l.via = 'nats') AS held_by
FROM tasks t WHERE t.id = ANY ($1::uuid[])
