-- What workers have in hand, in order of id: of a group each member.
-- returns id, scheduler, hash, organisation, plugin, image, deduplication_key, ooi, manual, made_ms and claimed_ms (epoch milliseconds),
--   started_ms (null where its worker has not begun)
-- $1 id to begin after, $2 rows at most
SELECT l.task_id AS id, l.scheduler, coalesce(t.hash, t.id::text) AS hash, t.organisation, c.plugin, c.image, c.deduplication_key,
  coalesce(t.data ->> 'input_ooi', t.data #>> '{raw_data,boefje_meta,input_ooi}') AS ooi, t.priority IS NOT DISTINCT FROM 1 AS manual,
  extract(epoch FROM t.created_at)::float8 * 1000 AS made_ms, extract(epoch FROM l.claimed_at)::float8 * 1000 AS claimed_ms,
  CASE WHEN t.status = 'RUNNING' THEN extract(epoch FROM coalesce(t.started_at, l.claimed_at))::float8 * 1000 END AS started_ms
FROM (SELECT * FROM leases WHERE leases.task_id > $1 ORDER BY leases.task_id LIMIT $2) AS l,
  LATERAL (SELECT * FROM tasks WHERE tasks.id = l.task_id) AS t, rota_queue_columns(t.type, t.data) AS c
ORDER BY l.task_id
