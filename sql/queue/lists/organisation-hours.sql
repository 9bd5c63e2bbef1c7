-- Tasks of one organisation by the hour of their last change and by status, of the last 24 hours, from the roll-up, a second old at most.
-- returns scheduler, hour (ISO, UTC), status, count
-- $1 schedulers, $2 organisation
SELECT wanted.scheduler, rota_timestamp(c.hour) AS hour, lower(c.status::text) AS status, c.count::float8 AS count
FROM unnest($1::text[]) AS wanted (scheduler), LATERAL (
  SELECT t.hour, t.status, t.count FROM task_counts t
  WHERE t.scheduler = wanted.scheduler AND t.organisation = $2 AND t.count > 0
    AND t.hour >= date_trunc('hour', now() - interval '23 hours', 'UTC')
) AS c
