-- Moves schedules on and ends their claims; one that was changed since it was read is left as it is. One that stays due keeps its
-- claim: it comes back when the claim ends, not at once and for ever. The first reason for which a schedule was disabled stays.
-- One whose claim was ended meanwhile is not disabled: its OOI has changed since it was examined, and it comes back at once. A
-- boefje that was found gone or disabled no longer counts as seen enabled: if it were back before the next look, that look would
-- not know that it was away, and never enable its schedules again.
-- What a recurrence decides (it runs on operations only, its cron cannot be read) does not depend on the OOI, so it disables and
-- enables schedules without a claim too.
-- $1 scheduler, $2 a JSON array of {id, version, sets_deadline, deadline_at, by_interval, asked, sets_schedule, schedule,
-- inherited, disabled, enables}
WITH settled AS (
  UPDATE schedules s
  SET deadline_at = CASE WHEN x.sets_deadline THEN x.deadline_at ELSE s.deadline_at END,
      schedule = CASE WHEN x.sets_schedule THEN x.schedule ELSE s.schedule END,
      inherited = CASE WHEN x.sets_schedule THEN coalesce(x.inherited, s.inherited) ELSE s.inherited END,
      interval_deadline = CASE
        WHEN NOT x.sets_deadline THEN s.interval_deadline WHEN x.by_interval THEN x.deadline_at END,
      asked_deadline = CASE WHEN NOT x.sets_deadline THEN s.asked_deadline WHEN x.asked THEN x.deadline_at END,
      disabled_reason = CASE
        WHEN x.enables THEN NULL
        WHEN s.enabled AND (s.claimed_until IS NOT NULL OR x.disabled IN ('run-on-only', 'cron-unreadable')) THEN x.disabled
        ELSE s.disabled_reason END,
      enabled = x.enables OR s.enabled
        AND (x.disabled IS NULL OR s.claimed_until IS NULL AND x.disabled NOT IN ('run-on-only', 'cron-unreadable')),
      claimed_until = CASE WHEN x.sets_deadline OR x.disabled IS NOT NULL THEN NULL ELSE s.claimed_until END,
      modified_at = now()
  FROM json_to_recordset($2::text::json) AS x (
    id uuid, version timestamptz, sets_deadline boolean, deadline_at timestamptz, sets_schedule boolean, schedule text,
    inherited boolean, by_interval boolean, asked boolean, disabled text, enables boolean)
  WHERE s.id = x.id AND s.scheduler_id = $1 AND s.modified_at = x.version
  RETURNING s.organisation, s.data #>> '{boefje,id}' AS boefje, s.enabled, x.disabled
),
away AS (
  SELECT organisation, array_agg(DISTINCT boefje::varchar) AS boefjes
  FROM settled
  WHERE NOT enabled AND disabled IN ('boefje-disabled', 'boefje-gone', 'organisation-gone') AND boefje IS NOT NULL
  GROUP BY organisation
)
UPDATE seen_boefjes k
SET boefjes = ARRAY(SELECT unnest(k.boefjes) EXCEPT SELECT unnest(away.boefjes) ORDER BY 1)
FROM away WHERE k.organisation = away.organisation AND k.boefjes && away.boefjes
