-- mula does not say why it disabled a schedule: those of boefjes may come back, those of reports a person disabled. What
-- it enabled again has no reason any more.
UPDATE schedules
SET disabled_reason = CASE WHEN enabled THEN NULL WHEN scheduler_id = 'boefje' THEN 'unknown' ELSE 'person' END
WHERE enabled = (disabled_reason IS NOT NULL)
