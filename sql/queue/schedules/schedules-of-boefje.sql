-- Schedules of one boefje in one organisation, by id: enabled ones, and those that its recurrence disabled.
-- returns as claim-due-schedules.sql
-- $1 scheduler, $2 organisation, $3 boefje, $4 id to begin after (null: the first), $5 schedules at most
-- The index on the OOIs of an organisation serves it: asked once for each change of a boefje.
SELECT id, rota_timestamp(modified_at) AS version, organisation, coalesce(hash, '') AS hash, data::text AS data, enabled,
  disabled_reason, schedule, inherited, deadline_at = interval_deadline AS by_interval,
  deadline_at = asked_deadline AS asked,
  floor(extract(epoch FROM deadline_at) * 1000)::float8 AS deadline_ms
FROM schedules
WHERE scheduler_id = $1 AND organisation = $2 AND data -> 'boefje' ->> 'id' = $3
  AND (enabled OR disabled_reason IN ('run-on-only', 'cron-unreadable'))
  AND ($4::uuid IS NULL OR id > $4::uuid)
ORDER BY id
LIMIT $5
