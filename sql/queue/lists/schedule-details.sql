-- What operators see of schedules beyond the wire: why it is disabled, whose its cron is, what set its deadline.
-- returns schedule (JSON text), disabled_reason, inherited, by_interval, asked; a row for each that exists
-- $1 ids
SELECT rota_schedule_json(s) AS schedule, s.disabled_reason, s.inherited,
  coalesce(s.deadline_at = s.interval_deadline, false) AS by_interval,
  coalesce(s.deadline_at = s.asked_deadline, false) AS asked
FROM schedules s WHERE s.id = ANY ($1::uuid[])
