-- Moves queued tasks to new ranks. Tasks that are being claimed or changed at this moment are left alone: neither side waits.
-- So are tasks that a person has put first since the look.
-- returns moved
-- $1 scheduler, $2 a JSON array of {id, hash, rank, priority}
-- Counts do not depend on the priority: see rota_count_tasks.
WITH stay AS MATERIALIZED (SELECT set_config('rota.counts_stay', 'on', true)),
wanted AS MATERIALIZED (
  SELECT * FROM json_to_recordset($2::text::json) AS w (id uuid, hash text, rank bigint, priority integer)
),
free AS MATERIALIZED (
  SELECT q.ctid AS spot, w.id, w.rank, w.priority
  FROM wanted w JOIN queue q ON q.hash = w.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM ($1, w.id)
  WHERE q.rank > 1
  FOR UPDATE OF q SKIP LOCKED
),
known AS MATERIALIZED (
  SELECT f.* FROM free f JOIN tasks t ON t.id = f.id FOR UPDATE OF t SKIP LOCKED
),
moved AS (
  UPDATE queue q SET rank = k.rank FROM known k WHERE q.ctid = k.spot AND q.rank <> k.rank RETURNING q.id, k.priority
),
written AS (
  UPDATE tasks t SET priority = moved.priority FROM moved WHERE t.id = moved.id AND t.priority IS DISTINCT FROM moved.priority
)
SELECT count(moved.id)::integer AS moved FROM stay LEFT JOIN moved ON true
