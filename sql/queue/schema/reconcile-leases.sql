-- Tasks that mula handed out are under way: their workers have one grace period from now. They count as begun: mula
-- does not record when it handed them out.
-- $1 created from then on, $2 or one of these ids, $3 seconds
INSERT INTO leases (task_id, lease_id, scheduler, via, until, begun)
SELECT t.id, gen_random_uuid(), t.scheduler_id, 'rest', now() + $3::float8 * interval '1 second', true
FROM tasks t
WHERE t.status IN ('DISPATCHED', 'RUNNING') AND (t.created_at >= $1::timestamptz OR t.id = ANY ($2::uuid[]))
  AND NOT EXISTS (SELECT FROM leases l WHERE l.task_id = t.id)
-- Another supervisor may be at work: what it finishes at this moment must get no lease.
FOR UPDATE OF t SKIP LOCKED
ON CONFLICT (task_id) DO NOTHING
