-- Those of some schedules that are disabled.
-- returns id
-- $1 scheduler, $2 ids
SELECT id FROM schedules WHERE id = ANY ($2::uuid[]) AND scheduler_id = $1 AND NOT enabled
