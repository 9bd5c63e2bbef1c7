-- Queued tasks that got no queue row since a twin has it.
-- $1 created from then on
UPDATE tasks t SET status = 'CANCELLED', reason = 'superseded', modified_at = now()
WHERE t.status = 'QUEUED' AND t.created_at >= $1::timestamptz AND NOT EXISTS (SELECT FROM queue q WHERE q.id = t.id)
