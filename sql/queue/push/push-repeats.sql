-- Which tasks of a push are there already, pushed before with the same id and the same content.
-- returns n, status, schedule_id, task (JSON text)
-- $1 scheduler, $2 a JSON array of {n, id, organisation, data, priority (absent where a ranker decides)}
WITH items AS MATERIALIZED (
  SELECT * FROM json_to_recordset($2::text::json) AS i (n integer, id uuid, organisation text, data jsonb, priority integer)
)
SELECT i.n, lower(t.status::text) AS status, t.schedule_id, rota_task_json(t) AS task
FROM tasks t JOIN items i ON i.id = t.id
WHERE t.id = ANY (ARRAY(SELECT id FROM items)) AND t.scheduler_id = $1 AND t.organisation = i.organisation
  AND t.data = i.data AND (i.priority IS NULL OR t.priority = i.priority)
