-- Makes schedules of pairs that have none and do not run now.
-- returns id of each that was made
-- $1 scheduler, $2 a JSON array of {id, organisation, hash, data, schedule, inherited, deadline_at, by_interval, disabled}
INSERT INTO schedules (
  id, scheduler_id, organisation, hash, data, enabled, disabled_reason, schedule, inherited, deadline_at, interval_deadline)
SELECT id, $1, organisation, hash, data, disabled IS NULL, disabled, schedule, coalesce(inherited, false), deadline_at,
  CASE WHEN by_interval THEN deadline_at END
FROM json_to_recordset($2::text::json) AS x (
  id uuid, organisation text, hash text, data jsonb, schedule text, inherited boolean, deadline_at timestamptz,
  by_interval boolean, disabled text)
ORDER BY hash
ON CONFLICT (hash) DO NOTHING
RETURNING id
