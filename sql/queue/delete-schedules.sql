-- returns id
-- $1 scheduler, $2 hashes
DELETE FROM schedules WHERE scheduler_id = $1 AND hash = ANY ($2::text[]) RETURNING id
