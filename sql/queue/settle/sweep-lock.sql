-- Tasks whose lease has expired, locked in the order of the queue (tasks, then leases); those that are being settled
-- at this moment are left alone, and so are those that a gap still spares (known_gaps).
-- returns id; none while this supervisor is in a gap itself
-- $1 tasks at most, $2 this supervisor
WITH known AS MATERIALIZED (SELECT instance, began_at, ended_at FROM known_gaps)
SELECT t.id FROM (
  SELECT l.task_id FROM leases l
  WHERE l.until < now()
    AND NOT EXISTS (
      SELECT FROM known g
      WHERE g.instance = $2 OR l.until >= g.began_at
        AND now() < g.ended_at + rota_grace_after(g.ended_at - g.began_at, l.until - l.renewed_at))
  ORDER BY l.until LIMIT $1) l
JOIN tasks t ON t.id = l.task_id
FOR UPDATE OF t SKIP LOCKED
