-- Rows that are held and were not looked at, by a limit, a pause, or both, in pop order.
-- returns id, hash, scheduler, organisation, plugin, image, ooi, manual
-- $1 rows at most
-- By parked, too, which is null: only one index has that order. By rank alone another one served it, past all that is held (0.1 s).
SELECT q.id, q.hash, q.scheduler, q.organisation, q.plugin, q.image,
  coalesce(t.data ->> 'input_ooi', t.data #>> '{raw_data,boefje_meta,input_ooi}') AS ooi, t.priority IS NOT DISTINCT FROM 1 AS manual
FROM (
  SELECT * FROM queue WHERE queue.held AND queue.parked IS NULL
  ORDER BY queue.parked, queue.rank, queue.created_at, queue.id LIMIT $1
) AS q, LATERAL (SELECT tasks.data, tasks.priority FROM tasks WHERE tasks.id = q.id) AS t
