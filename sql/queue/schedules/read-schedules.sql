-- Schedules by id, with any deadline.
-- returns as claim-due-schedules.sql
-- $1 scheduler, $2 ids
SELECT id, rota_timestamp(modified_at) AS version, organisation, coalesce(hash, '') AS hash, data::text AS data, enabled,
  disabled_reason, schedule, inherited, deadline_at = interval_deadline AS by_interval,
  deadline_at = asked_deadline AS asked,
  floor(extract(epoch FROM deadline_at) * 1000)::float8 AS deadline_ms
FROM schedules
WHERE id = ANY ($2::uuid[]) AND scheduler_id = $1
