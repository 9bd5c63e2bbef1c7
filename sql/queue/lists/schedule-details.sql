-- What operators see of schedules beyond the wire: why it is disabled, whose its cron is.
-- returns schedule (JSON text), disabled_reason, inherited; a row for each that exists
-- $1 ids
SELECT rota_schedule_json(s) AS schedule, s.disabled_reason, s.inherited
FROM schedules s WHERE s.id = ANY ($1::uuid[])
