-- Removes schedules that Rota itself disabled longer ago than the retention time, and that have no task left. An OOI that is
-- created, a boefje that is enabled or a clearance that is raised queues a task, and its push makes the schedule anew. What a
-- person set stays: a schedule that a person disabled, or may have (`unknown`, adopted), since that push would make it anew
-- enabled; and a cron of the schedule's own.
-- returns looked (disabled schedules of the stretch), removed, and where the next stretch begins: scheduler, organisation,
-- id; null at the end
-- $1 days to keep, $2 scheduler, $3 organisation and $4 id to begin after, $5 schedules to look at
WITH stretch AS MATERIALIZED (
  SELECT id, scheduler_id, organisation FROM schedules
  WHERE NOT enabled AND (scheduler_id, organisation) >= ($2, $3) AND (scheduler_id, organisation, id) > ($2, $3, $4::uuid)
  ORDER BY scheduler_id, organisation, id LIMIT $5
),
removed AS (
  DELETE FROM schedules s
  WHERE s.id = ANY (ARRAY(SELECT id FROM stretch))
    AND NOT s.enabled AND s.disabled_reason = ANY ('{ooi-gone,scan-level-too-low,boefje-gone,boefje-disabled,organisation-gone}')
    AND (s.schedule IS NULL OR s.inherited)
    AND s.modified_at < now() - $1::float8 * interval '1 day'
    AND NOT EXISTS (SELECT FROM tasks t WHERE t.schedule_id = s.id)
    AND NOT EXISTS (SELECT FROM tasks t WHERE t.hash = s.hash)
  RETURNING s.id
),
last AS (SELECT * FROM stretch ORDER BY scheduler_id DESC, organisation DESC, id DESC LIMIT 1)
SELECT (SELECT count(*)::integer FROM stretch) AS looked, (SELECT count(*)::integer FROM removed) AS removed,
  (SELECT scheduler_id FROM last) AS scheduler, (SELECT organisation FROM last) AS organisation, (SELECT id FROM last) AS id
