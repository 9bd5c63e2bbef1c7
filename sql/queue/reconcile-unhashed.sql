-- Queued tasks without a hash.
-- returns id, type, data
-- $1 created from then on, and all others where mula's index on queued tasks is there ($2); $3 at most
SELECT id, type, data FROM tasks
WHERE status = 'QUEUED' AND ($2 OR created_at >= $1::timestamptz) AND hash IS NULL
LIMIT $3
