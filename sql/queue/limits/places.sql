-- What is before a task at each of its keys.
-- returns key, before (rows parked there that go first), taken (units that are admitted or, where it has a concurrency, claimed; 0 of a window, which counts none),
-- ready_ms (epoch milliseconds: GCRA's theoretical arrival time, null where it lies in the past), in the order of $1
-- $1 keys, $2 rows that are counted at most, $3 the task: null counts all that is parked
WITH task AS MATERIALIZED (
  SELECT q.rank, q.created_at, q.id FROM tasks t
  JOIN queue q ON q.hash = t.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM (t.scheduler_id, t.id)
  WHERE t.id = $3
)
SELECT wanted.key, p.before::float8 AS before, CASE WHEN EXISTS (SELECT FROM limits w WHERE w.name = split_part(wanted.key, '/', 1) AND w.kind = 'window') THEN 0
    ELSE rota_limit_taken(wanted.key)::float8 END AS taken,
  (SELECT extract(epoch FROM l.tat)::float8 * 1000 FROM limiters l WHERE l.key = wanted.key AND l.tat > now()) AS ready_ms
FROM unnest($1::varchar[]) WITH ORDINALITY AS wanted (key, n), LATERAL (
  SELECT count(*) AS before FROM (
    SELECT FROM queue q
    WHERE q.held AND q.parked = wanted.key
      AND (NOT EXISTS (SELECT FROM task) OR (q.rank, q.created_at, q.id) < (SELECT k.rank, k.created_at, k.id FROM task k))
    ORDER BY q.rank, q.created_at, q.id LIMIT $2
  ) AS b
) AS p
ORDER BY wanted.n
