-- Tasks that ended within the last 24 hours, by the hour and organisation, from the roll-up: of each hour the organisations with most.
-- returns hour (ISO, UTC), organisation, completed, failed; of the whole hour all_completed, all_failed, organisations; cut (whether more rows
--   of the roll-up were there than are read)
-- $1 schedulers, $2 organisations of an hour, $3 rows of the roll-up that are read at most, the newest hours first
WITH looked AS MATERIALIZED (
  SELECT c.hour, c.organisation, c.status, c.count FROM task_counts c
  WHERE c.hour >= date_trunc('hour', now() - interval '23 hours', 'UTC') AND c.count > 0
    AND c.scheduler = ANY ($1) AND c.status IN ('COMPLETED', 'FAILED')
  ORDER BY c.hour DESC LIMIT $3
),
summed AS (
  SELECT hour, organisation, coalesce(sum(count) FILTER (WHERE status = 'COMPLETED'), 0)::float8 AS completed,
    coalesce(sum(count) FILTER (WHERE status = 'FAILED'), 0)::float8 AS failed
  FROM looked GROUP BY hour, organisation
),
placed AS (
  SELECT summed.*, row_number() OVER (PARTITION BY hour ORDER BY completed + failed DESC, organisation) AS place,
    sum(completed) OVER (PARTITION BY hour) AS all_completed, sum(failed) OVER (PARTITION BY hour) AS all_failed,
    count(*) OVER (PARTITION BY hour)::integer AS organisations
  FROM summed
)
SELECT rota_timestamp(hour) AS hour, organisation, completed, failed, all_completed, all_failed, organisations,
  (SELECT count(*) >= $3 FROM looked) AS cut
FROM placed WHERE place <= $2 ORDER BY hour, place
