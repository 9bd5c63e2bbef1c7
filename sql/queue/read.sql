-- returns id, task (JSON text) of the tasks that exist
-- $1 ids
SELECT t.id, rota_task_json(t) AS task FROM tasks t WHERE t.id = ANY ($1::uuid[])
