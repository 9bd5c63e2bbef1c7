-- Tasks whose lease has expired, locked in the order of the queue (tasks, then leases); those that are being settled
-- at this moment are left alone, and so are those that a gap still spares (known_gaps), and those that wait: a task that
-- may have ended its worker is not tried again at once.
-- returns id; none while this supervisor is in a gap itself
-- $1 tasks at most, $2 this supervisor, $3 milliseconds that a task waits for each claim of it, $4 claims of a task at most, $5 how many
-- claims that no worker began count as none: neither the last claim nor those wait
WITH known AS MATERIALIZED (SELECT instance, began_at, ended_at FROM known_gaps),
-- Before any task, as by all that deal ranks out (rota_flows).
gate AS MATERIALIZED (
  SELECT count(pg_advisory_xact_lock(7682120, hashtext(scheduler)))
  FROM (SELECT DISTINCT scheduler FROM leases WHERE until < now() ORDER BY scheduler) AS s
)
SELECT t.id FROM (
  SELECT l.task_id FROM leases l,
    LATERAL (SELECT status, attempts, unbegun FROM tasks WHERE tasks.id = l.task_id) AS of
  WHERE l.until < now() AND (SELECT true FROM gate)
    AND (of.attempts >= $4
      OR l.until < now() - of.attempts * $3::float8 * interval '1 millisecond'
      OR NOT l.begun AND of.status = 'DISPATCHED' AND of.unbegun < $5
      OR EXISTS (
        SELECT FROM known g
        WHERE l.until >= g.began_at AND l.until < g.ended_at + rota_grace_after(g.ended_at - g.began_at, l.until - l.renewed_at)))
    AND NOT EXISTS (
      SELECT FROM known g
      WHERE g.instance = $2 OR l.until >= g.began_at
        AND now() < g.ended_at + rota_grace_after(g.ended_at - g.began_at, l.until - l.renewed_at))
  ORDER BY l.until LIMIT $1) l
JOIN tasks t ON t.id = l.task_id
FOR UPDATE OF t SKIP LOCKED
