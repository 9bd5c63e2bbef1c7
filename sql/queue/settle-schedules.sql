-- Moves schedules on and ends their claims. The claim of one that stays due is kept: it comes back when the claim ends,
-- not at once and for ever. Whatever disabled a schedule first keeps its reason.
-- $1 scheduler, $2 a JSON array of {id, sets_deadline, deadline_at, sets_schedule, schedule, inherited (null: unchanged),
-- disabled}
UPDATE schedules s
SET deadline_at = CASE WHEN x.sets_deadline THEN x.deadline_at ELSE s.deadline_at END,
    schedule = CASE WHEN x.sets_schedule THEN x.schedule ELSE s.schedule END,
    inherited = coalesce(x.inherited, s.inherited),
    disabled_reason = CASE WHEN s.enabled THEN x.disabled ELSE s.disabled_reason END,
    enabled = s.enabled AND x.disabled IS NULL,
    claimed_until = CASE WHEN x.sets_deadline OR x.disabled IS NOT NULL THEN NULL ELSE s.claimed_until END,
    modified_at = now()
FROM json_to_recordset($2::text::json) AS x (
  id uuid, sets_deadline boolean, deadline_at timestamptz, sets_schedule boolean, schedule text, inherited boolean,
  disabled text)
WHERE s.id = x.id AND s.scheduler_id = $1
