-- Deletes some schedules of an organisation; their tasks stay, without a schedule.
-- returns a row for each
-- $1 organisation, $2 schedules at most
DELETE FROM schedules WHERE id = ANY (ARRAY(SELECT id FROM schedules WHERE organisation = $1 LIMIT $2)) RETURNING 1 AS one
