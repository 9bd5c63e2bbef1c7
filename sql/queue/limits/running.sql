-- Tasks that are claimed and may not be counted by a limit yet, in order of id.
-- returns id, lease_id, hash, scheduler, organisation, plugin, image, ooi, manual, keys (those by which it is counted)
-- $1 id to begin after, $2 rows at most
SELECT l.task_id AS id, l.lease_id, t.hash, l.scheduler, t.organisation, c.plugin, c.image,
  coalesce(t.data ->> 'input_ooi', t.data #>> '{raw_data,boefje_meta,input_ooi}') AS ooi, t.priority IS NOT DISTINCT FROM 1 AS manual,
  coalesce((SELECT k.limits FROM limit_claims k WHERE k.task_id = l.task_id), '{}') AS keys
FROM (SELECT * FROM leases WHERE leases.task_id > $1 ORDER BY leases.task_id LIMIT $2) AS l,
  LATERAL (SELECT * FROM tasks WHERE tasks.id = l.task_id) AS t, rota_queue_columns(t.type, t.data) AS c
ORDER BY l.task_id
