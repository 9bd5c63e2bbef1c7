-- The first tasks of a scheduler that may be popped, in their order, with what a ranker knows of them. Read from the low-water mark on:
-- see claim-heads.sql.
-- returns organisation, image ('' where it has none), weight, is_first (a person put it there: it is not ranked), created_ms,
--   last_run_ms (epoch milliseconds, null where it never ran)
-- $1 scheduler, $2 tasks at most
-- IS NOT DISTINCT FROM as in rerank-look.sql.
SELECT q.organisation, coalesce(q.image, '') AS image, q.rank <= 1 AS is_first,
  coalesce((SELECT f.weight FROM fairness f WHERE f.scheduler = $1 AND f.organisation = q.organisation), 1) AS weight,
  extract(epoch FROM q.created_at)::float8 * 1000 AS created_ms,
  (SELECT extract(epoch FROM t.modified_at)::float8 * 1000 FROM tasks t
    WHERE t.hash = q.hash AND t.scheduler_id IS NOT DISTINCT FROM q.scheduler AND t.status IN ('COMPLETED', 'FAILED')
    ORDER BY t.created_at DESC LIMIT 1) AS last_run_ms
FROM queue q
WHERE q.scheduler = $1 AND NOT q.held
  AND (q.rank, q.created_at) >= (
    coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = $1), -9223372036854775808),
    coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = $1), '-infinity'))
ORDER BY q.rank, q.created_at, q.id
LIMIT $2
