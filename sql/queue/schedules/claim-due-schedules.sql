-- Claims due schedules for 60 s, oldest deadline first. Two supervisors never hold one at once.
-- returns id, version, organisation, hash, data (JSON text), enabled, disabled_reason, schedule, inherited, by_interval (its
-- boefje's interval set this deadline), asked (it was asked for), deadline_ms (epoch milliseconds), oldest first
-- $1 scheduler, $2 schedules at most, $3 organisations to pass over
WITH due AS MATERIALIZED (
  SELECT id FROM schedules
  WHERE scheduler_id = $1 AND enabled AND deadline_at <= now() AND (claimed_until IS NULL OR claimed_until <= now())
    AND organisation <> ALL ($3::text[])
  ORDER BY deadline_at
  LIMIT $2
  FOR UPDATE SKIP LOCKED
),
claimed AS (
  UPDATE schedules s SET claimed_until = now() + interval '60 seconds'
  FROM due WHERE s.id = due.id
  RETURNING s.*
)
SELECT id, rota_timestamp(modified_at) AS version, organisation, coalesce(hash, '') AS hash, data::text AS data, enabled,
  disabled_reason, schedule, inherited, deadline_at = interval_deadline AS by_interval,
  deadline_at = asked_deadline AS asked,
  floor(extract(epoch FROM deadline_at) * 1000)::float8 AS deadline_ms
FROM claimed
ORDER BY deadline_at, id
