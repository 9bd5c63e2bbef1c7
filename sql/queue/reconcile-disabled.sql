-- mula does not say why it disabled a schedule: those of boefjes may come back, those of reports a person disabled.
UPDATE schedules SET disabled_reason = CASE scheduler_id WHEN 'boefje' THEN 'unknown' ELSE 'person' END
WHERE NOT enabled AND disabled_reason IS NULL
