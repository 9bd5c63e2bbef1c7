-- Queued tasks without a hash.
-- returns id, type, data
-- $1 created from then on, $2 at most
SELECT id, type, data FROM tasks
WHERE status = 'QUEUED' AND created_at >= $1::timestamptz AND hash IS NULL
LIMIT $2
