-- Which of the locked tasks have an expired lease still, and what becomes of them.
-- returns id, lease_id, exhausted (claimed as often as may be)
-- $1 task ids, $2 claims of a task at most
SELECT t.id, l.lease_id, t.attempts >= $2 AS exhausted
FROM tasks t JOIN leases l ON l.task_id = t.id
WHERE t.id = ANY ($1::uuid[]) AND l.until < now()
ORDER BY l.task_id
FOR UPDATE OF l
