-- Tasks by hour of their last change and by status, of the last 24 hours, from the roll-up and what it has yet to fold in.
-- returns hour (`2025-05-27T09:00:00+00:00`), status, count; newest hour first
-- $1 scheduler (null: any), $2 organisations (null: any)
WITH since AS (SELECT date_trunc('hour', now() - interval '24 hours', 'UTC') AS hour)
SELECT to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"') AS hour, lower(status::text) AS status,
  sum(count)::float8 AS count
FROM (
  SELECT c.hour, c.status, c.count, c.scheduler, c.organisation
  FROM task_counts c
  WHERE c.hour >= (SELECT since.hour FROM since)
  UNION ALL
  SELECT date_trunc('hour', x.moment, 'UTC'), x.status, c.delta, x.scheduler, x.organisation
  FROM task_changes c,
    unnest(c.schedulers, c.organisations, c.statuses, c.moments) AS x (scheduler, organisation, status, moment)
  WHERE x.moment >= (SELECT since.hour FROM since)
) AS changed
WHERE ($1::text IS NULL OR scheduler = $1) AND ($2::text[] IS NULL OR organisation = ANY ($2))
GROUP BY changed.hour, changed.status
HAVING sum(count) > 0
ORDER BY changed.hour DESC
