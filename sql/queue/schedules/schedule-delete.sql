-- Its tasks stay; their schedule_id becomes null.
-- returns id
-- $1 id
DELETE FROM schedules WHERE id = $1::uuid RETURNING id
