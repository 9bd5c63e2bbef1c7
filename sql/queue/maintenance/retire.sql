-- Removes finished tasks that are older than the retention time, from one stretch of `tasks` in the order of their age.
-- The latest task of a hash stays as long as the grace period asks for it: without it a boefje would run again too early.
-- Tasks that /tasks/stats still counts stay as well, to the beginning of its oldest hour (task-stats.sql).
-- returns looked (tasks of the stretch), removed, and where the next stretch begins: created_at (text), id; null at the end
-- $1 days to keep, $2 grace period in seconds, $3 created_at and $4 id to begin after, $5 tasks to look at
WITH kept AS MATERIALIZED (
  SELECT least(now() - $1::float8 * interval '1 day', date_trunc('hour', now() - interval '24 hours', 'UTC')) AS since
),
stretch AS MATERIALIZED (
  SELECT id, created_at FROM tasks
  WHERE created_at >= $3::text::timestamptz AND (created_at, id) > ($3::text::timestamptz, $4::uuid)
    AND created_at < (SELECT kept.since FROM kept)
  ORDER BY created_at, id LIMIT $5
),
removed AS (
  DELETE FROM tasks t
  WHERE t.id = ANY (ARRAY(SELECT id FROM stretch))
    AND t.status IN ('COMPLETED', 'FAILED', 'CANCELLED')
    AND t.modified_at < (SELECT kept.since FROM kept)
    AND (t.modified_at < now() - $2::float8 * interval '1 second'
      OR EXISTS (
        -- IS NOT DISTINCT FROM as in latest-tasks.sql.
        SELECT FROM tasks n
        WHERE n.hash = t.hash AND n.scheduler_id IS NOT DISTINCT FROM t.scheduler_id AND n.created_at > t.created_at))
  RETURNING t.id
),
outcomes AS (DELETE FROM rare_outcomes WHERE task_id IN (SELECT id FROM removed)),
last AS (SELECT created_at::text, id FROM stretch ORDER BY created_at DESC, id DESC LIMIT 1)
SELECT (SELECT count(*)::integer FROM stretch) AS looked, (SELECT count(*)::integer FROM removed) AS removed,
  (SELECT created_at FROM last) AS created_at, (SELECT id FROM last) AS id
