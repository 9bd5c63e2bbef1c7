-- returns schedule (JSON text)
-- $1 id
SELECT rota_schedule_json(s) AS schedule FROM schedules s WHERE s.id = $1::uuid
