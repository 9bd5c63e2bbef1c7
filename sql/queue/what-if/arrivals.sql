-- Tasks of a scheduler that were made lately, and that no schedule made: a person pushed them (priority 1), or the push that made them made
-- their schedule too, as an event's does. Those with a boefje in their data are told by it: they follow its runs.
-- returns organisation, plugin, image, manual, boefje (whose raw file it is; null: none), count; looked (tasks that were looked at), since_ms
--   (epoch milliseconds: when the first of those was made)
-- $1 scheduler, $2 seconds that count, $3 tasks that are looked at, the newest first, $4 rows at most
WITH looked AS MATERIALIZED (
  SELECT type, data, organisation, priority, schedule_id, created_at
  FROM tasks WHERE scheduler_id = $1 AND created_at > now() - $2 * interval '1 second' ORDER BY created_at DESC LIMIT $3
),
unscheduled AS (
  SELECT l.organisation, c.plugin, c.image, l.priority IS NOT DISTINCT FROM 1 AS manual, l.data #>> '{raw_data,boefje_meta,boefje,id}' AS boefje
  FROM looked l LEFT JOIN schedules s ON s.id = l.schedule_id, rota_queue_columns(l.type, l.data) AS c
  WHERE l.priority IS NOT DISTINCT FROM 1 OR s.id IS NULL OR s.created_at > l.created_at - interval '1 minute'
)
SELECT u.organisation, u.plugin, u.image, u.manual, u.boefje, count(*)::float8 AS count,
  (SELECT count(*)::float8 FROM looked) AS looked,
  (SELECT extract(epoch FROM min(created_at))::float8 * 1000 FROM looked) AS since_ms
FROM unscheduled u
GROUP BY 1, 2, 3, 4, 5
ORDER BY count DESC, 1, 2, 3, 4, 5
LIMIT $4
