-- The schedule of a hash in a scheduler, as schedule-details answers it.
-- returns schedule (JSON text), disabled_reason, inherited, by_interval, asked; no row where there is none
-- $1 scheduler, $2 hash
SELECT rota_schedule_json(s) AS schedule, s.disabled_reason, s.inherited,
  coalesce(s.deadline_at = s.interval_deadline, false) AS by_interval,
  coalesce(s.deadline_at = s.asked_deadline, false) AS asked
FROM schedules s WHERE s.hash = $2 AND s.scheduler_id = $1
