-- Tasks whose lease has expired, locked in the order of the queue (tasks, then leases); what somebody is settling at
-- this moment is left alone.
-- returns id
-- $1 tasks at most
SELECT t.id FROM (SELECT task_id FROM leases WHERE until < now() ORDER BY until LIMIT $1) l
JOIN tasks t ON t.id = l.task_id
FOR UPDATE OF t SKIP LOCKED
