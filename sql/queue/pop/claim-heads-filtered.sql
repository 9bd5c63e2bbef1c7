-- The first rows of a scheduler's queue that match and that no other transaction holds, locked; a part of claim.sql.
-- returns hash, rank, created_at, id, deduplication_key, plugin, image
-- $1 scheduler, $2 rows at most; {ordered} reads row places (spot, and rank, created_at, id) in pop order, as far as they
-- are needed; {filter} as in claim.sql
-- Rows are tried one by one: rows of merged index scans cannot be locked in the scan, and a group's key must not be locked for a
-- row that does not match. By place: while the planner takes the table for small, five indexes cost as much as the primary key,
-- and read the whole queue for each row.
SELECT h.*
FROM ({ordered}) AS o, LATERAL (
  SELECT q.hash, q.rank, q.created_at, q.id, q.deduplication_key, q.plugin, q.image
  FROM queue q
  WHERE q.ctid = o.spot AND NOT q.held AND {filter}
    AND (q.deduplication_key IS NULL
      OR pg_try_advisory_xact_lock(hashtextextended(q.scheduler || ' ' || q.deduplication_key, 0)))
  FOR UPDATE SKIP LOCKED
) AS h
ORDER BY o.rank, o.created_at, o.id
LIMIT $2
