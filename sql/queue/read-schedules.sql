-- Schedules by id, whatever their deadline.
-- returns id, version, organisation, hash, data (JSON text), enabled, schedule, inherited, deadline_ms (epoch milliseconds)
-- $1 scheduler, $2 ids
SELECT id, rota_timestamp(modified_at) AS version, organisation, coalesce(hash, '') AS hash, data::text AS data, enabled, schedule, inherited,
  floor(extract(epoch FROM deadline_at) * 1000)::float8 AS deadline_ms
FROM schedules
WHERE id = ANY ($2::uuid[]) AND scheduler_id = $1
