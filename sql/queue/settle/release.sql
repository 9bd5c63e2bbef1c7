-- The state of a task that is to be given back.
-- returns scheduler, status, via (of its lease, null where it has none), lease_id, task (JSON text)
-- $1 task id
SELECT t.scheduler_id AS scheduler, t.status, l.via, l.lease_id, rota_task_json(t) AS task
FROM tasks t LEFT JOIN leases l ON l.task_id = t.id
WHERE t.id = $1
