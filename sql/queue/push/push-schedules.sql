-- The schedules of a set, made or moved; the part of push.sql for sets in which a task has a recurrence.
-- returns id, hash, corrects, inherited
--
-- A disabled schedule is left alone: no row returns, and the task gets no schedule. Its own cron is a person's: an
-- interval overrules it and leaves it in place. One that was changed since the actor read it keeps the change, and
-- is the task's: claimed_until carries which version that was, as a claim that has ended, for only what is proposed for
-- insertion can be compared with the row as it is by then.
given AS (
  INSERT INTO schedules AS s
    (id, scheduler_id, organisation, hash, data, enabled, disabled_reason, schedule, inherited, deadline_at,
      interval_deadline, claimed_until)
  SELECT new_schedule_id, $1, organisation, hash, data, disabled IS NULL, disabled, schedule, inherited, deadline_at,
    CASE WHEN by_interval THEN deadline_at END, version
  FROM accepted WHERE recurrence = 'given' ORDER BY hash
  ON CONFLICT (hash) DO UPDATE
    SET schedule = CASE WHEN EXCLUDED.claimed_until <> s.modified_at OR EXCLUDED.schedule IS NULL AND NOT s.inherited
          THEN s.schedule ELSE EXCLUDED.schedule END,
        inherited = CASE WHEN EXCLUDED.claimed_until <> s.modified_at THEN s.inherited ELSE EXCLUDED.inherited END,
        enabled = coalesce(EXCLUDED.claimed_until <> s.modified_at, false) OR EXCLUDED.enabled,
        disabled_reason = CASE WHEN EXCLUDED.claimed_until <> s.modified_at THEN NULL ELSE EXCLUDED.disabled_reason END,
        deadline_at = CASE WHEN EXCLUDED.claimed_until <> s.modified_at THEN s.deadline_at ELSE EXCLUDED.deadline_at END,
        interval_deadline = CASE WHEN EXCLUDED.claimed_until <> s.modified_at THEN s.interval_deadline
          ELSE EXCLUDED.interval_deadline END,
        claimed_until = CASE WHEN EXCLUDED.claimed_until <> s.modified_at THEN s.claimed_until END,
        modified_at = CASE WHEN EXCLUDED.claimed_until <> s.modified_at THEN s.modified_at ELSE now() END
    WHERE s.enabled AND s.scheduler_id = EXCLUDED.scheduler_id
  RETURNING s.id, s.hash
),
-- The default: a cron that is there keeps its deadline, and an interval its rhythm, since the actor may not be able to put right what it
-- would lose (Katalogus is away); without one the new deadline counts, where there is a new one.
assumed AS (
  INSERT INTO schedules AS s (id, scheduler_id, organisation, hash, data, enabled, deadline_at)
  SELECT new_schedule_id, $1, organisation, hash, data, true, now() + delay_seconds * interval '1 second'
  FROM accepted WHERE recurrence = 'assumed' ORDER BY hash
  ON CONFLICT (hash) DO UPDATE
    SET deadline_at =
          CASE WHEN s.schedule IS NULL AND (s.interval_deadline = s.deadline_at) IS NOT TRUE
            THEN coalesce(EXCLUDED.deadline_at, s.deadline_at) ELSE s.deadline_at END,
        modified_at = now()
    WHERE s.enabled AND s.scheduler_id = EXCLUDED.scheduler_id
  RETURNING s.id, s.hash, s.inherited
),
-- The same where the actor has looked: its boefje has no cron, so one that came from there goes.
defaulted AS (
  INSERT INTO schedules AS s (id, scheduler_id, organisation, hash, data, enabled, deadline_at)
  SELECT new_schedule_id, $1, organisation, hash, data, true, now() + delay_seconds * interval '1 second'
  FROM accepted WHERE recurrence = 'default' ORDER BY hash
  ON CONFLICT (hash) DO UPDATE
    SET deadline_at = CASE WHEN s.schedule IS NULL OR s.inherited THEN coalesce(EXCLUDED.deadline_at, s.deadline_at)
          ELSE s.deadline_at END,
        schedule = CASE WHEN s.inherited THEN NULL ELSE s.schedule END, inherited = false, modified_at = now()
    WHERE s.enabled AND s.scheduler_id = EXCLUDED.scheduler_id
  RETURNING s.id, s.hash
),
scheduled AS MATERIALIZED (
  SELECT id, hash, false AS corrects, false AS inherited FROM given
  UNION ALL SELECT id, hash, true, inherited FROM assumed
  UNION ALL SELECT id, hash, false, false FROM defaulted
),
