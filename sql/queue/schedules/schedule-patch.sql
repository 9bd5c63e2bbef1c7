-- Changes what a person names. Disabling is recorded as the person's, over an earlier reason; a new deadline
-- or enabling ends a claim, so that "run now" is now. Secrets that a task may carry are gone from its data: withoutSecrets.
-- returns id, schedule (JSON text); no row where there is none
-- $1 ids, $2 a JSON object of the columns to change: hash, data, enabled, schedule, deadline_at ('now', as Postgres reads it, is this
-- transaction's beginning)
-- Locked in one order: two that change many wait for each other and not in a circle.
WITH named AS MATERIALIZED (
  SELECT id FROM schedules WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE
)
UPDATE schedules s
SET hash = CASE WHEN p.patch ? 'hash' THEN p.patch ->> 'hash' ELSE s.hash END,
    data = CASE WHEN p.patch ? 'data' THEN p.patch -> 'data' ELSE s.data END,
    -- A cron that can run mends what one that cannot had disabled.
    enabled = coalesce((p.patch ->> 'enabled')::boolean,
      s.enabled OR p.patch ->> 'schedule' IS NOT NULL AND s.disabled_reason = 'cron-unreadable'),
    disabled_reason = CASE coalesce((p.patch ->> 'enabled')::boolean,
        CASE WHEN p.patch ->> 'schedule' IS NOT NULL AND s.disabled_reason = 'cron-unreadable' THEN true END)
      WHEN false THEN 'person' WHEN true THEN NULL ELSE s.disabled_reason END,
    schedule = CASE WHEN p.patch ? 'schedule' THEN p.patch ->> 'schedule' ELSE s.schedule END,
    -- A cron that a person gives is the schedule's own, even where the boefje's reads the same.
    inherited = s.inherited AND NOT p.patch ? 'schedule',
    deadline_at = CASE WHEN p.patch ? 'deadline_at' THEN (p.patch ->> 'deadline_at')::timestamptz ELSE s.deadline_at END,
    -- Enabling asks for the run as well: failures do not delay it.
    asked_deadline = CASE WHEN p.patch ? 'deadline_at' THEN (p.patch ->> 'deadline_at')::timestamptz
      WHEN NOT s.enabled AND (p.patch ->> 'enabled')::boolean THEN s.deadline_at ELSE s.asked_deadline END,
    claimed_until = CASE WHEN p.patch ? 'deadline_at' OR p.patch ? 'enabled' THEN NULL ELSE s.claimed_until END,
    modified_at = now()
FROM named, (SELECT $2::text::jsonb AS patch) AS p
WHERE s.id = named.id
RETURNING s.id, rota_schedule_json(s) AS schedule
