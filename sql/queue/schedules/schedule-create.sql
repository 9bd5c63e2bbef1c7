-- Stores a schedule, unless there is one with its hash. Secrets that a task may carry are gone from its data: withoutSecrets.
-- returns schedule (JSON text); no row where the hash is taken
-- $1 scheduler, $2 organisation, $3 hash, $4 data (JSON text), $5 cron or null, $6 deadline (ISO)
INSERT INTO schedules AS s (id, scheduler_id, organisation, hash, data, enabled, schedule, deadline_at, asked_deadline)
VALUES (gen_random_uuid(), $1, $2, $3, $4::text::jsonb, true, $5,
  $6::text::timestamptz, $6::text::timestamptz)
ON CONFLICT (hash) DO NOTHING
RETURNING rota_schedule_json(s) AS schedule
