-- Everything queued in a scheduler that a ranker may rank anew, oldest first. What a person pushed keeps the first place.
-- returns id, hash, organisation, image ('' where it has none), created_ms, last_run_ms (epoch milliseconds, null where it never ran)
-- $1 scheduler
-- IS NOT DISTINCT FROM as in latest-tasks.sql: an equal scheduler had it read all tasks for each that is queued, for hours and without
-- a bound, where there are no statistics (after a restore).
SELECT q.id, q.hash, q.organisation, coalesce(q.image, '') AS image, extract(epoch FROM q.created_at)::float8 * 1000 AS created_ms,
  (SELECT extract(epoch FROM t.modified_at)::float8 * 1000 FROM tasks t
    WHERE t.hash = q.hash AND t.scheduler_id IS NOT DISTINCT FROM q.scheduler AND t.status IN ('COMPLETED', 'FAILED')
    ORDER BY t.created_at DESC LIMIT 1) AS last_run_ms
FROM queue q
WHERE q.scheduler = $1 AND q.rank > 1
ORDER BY q.created_at, q.id
