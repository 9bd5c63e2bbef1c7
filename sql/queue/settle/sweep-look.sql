-- Those of the locked tasks whose lease is still expired, and what becomes of them.
-- returns id, lease_id, unbegun (its holder never reported), unclaimed (counts as no attempt: not begun, or it fell
-- into a gap), exhausted (claimed as often as may be)
-- $1 task ids, $2 claims of a task at most, $3 how many claims that no worker began count as none
SELECT t.id, l.lease_id, holder.unbegun, look.unclaimed, t.attempts >= $2 AND NOT look.unclaimed AS exhausted
FROM tasks t JOIN leases l ON l.task_id = t.id,
  LATERAL (SELECT NOT l.begun AND t.status = 'DISPATCHED' AS unbegun) AS holder,
  LATERAL (SELECT holder.unbegun AND t.unbegun < $3 OR EXISTS (
    SELECT FROM known_gaps g
    WHERE l.until >= g.began_at
      AND l.until < g.ended_at + rota_grace_after(g.ended_at - g.began_at, l.until - l.renewed_at)
  ) AS unclaimed) AS look
WHERE t.id = ANY ($1::uuid[]) AND l.until < now()
ORDER BY l.task_id
FOR UPDATE OF l
