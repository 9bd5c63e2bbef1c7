-- Tasks whose lease has expired, but for those that a gap still spares (known_gaps), and those that wait: a task that
-- may have ended its worker is not tried again at once.
-- returns id, scheduler; none while this supervisor is in a gap itself
-- $1 tasks at most, $2 this supervisor, $3 milliseconds that a task waits for each claim of it, $4 claims of a task at
-- most, $5 how many claims that no worker began count as none: neither the last claim nor those wait Of the first 10
-- 000: a client that pops and never reports must not make each sweep read all that waits (0.7 s for 200 000).
WITH known AS MATERIALIZED (SELECT instance, began_at, ended_at FROM known_gaps)
SELECT l.task_id AS id, l.scheduler
FROM (SELECT * FROM leases WHERE until < now() ORDER BY until LIMIT 10000) AS l,
  LATERAL (SELECT status, attempts, unbegun FROM tasks WHERE tasks.id = l.task_id) AS of
WHERE (of.attempts >= $4
    OR l.until < now() - of.attempts * $3::float8 * interval '1 millisecond'
    OR NOT l.begun AND of.status = 'DISPATCHED' AND of.unbegun < $5
    OR EXISTS (
      SELECT FROM known g
      WHERE l.until >= g.began_at AND l.until < g.ended_at + rota_grace_after(g.ended_at - g.began_at, l.until - l.renewed_at)))
  AND NOT EXISTS (
    SELECT FROM known g
    WHERE g.instance = $2 OR l.until >= g.began_at
      AND now() < g.ended_at + rota_grace_after(g.ended_at - g.began_at, l.until - l.renewed_at))
ORDER BY l.until LIMIT $1
