-- Queued tasks that got no queue row since a twin has it.
-- $1 created from then on, and all others where mula's index on queued tasks is there ($2)
UPDATE tasks t SET status = 'CANCELLED', reason = 'superseded', modified_at = now()
WHERE t.status = 'QUEUED' AND ($2 OR t.created_at >= $1::timestamptz) AND NOT EXISTS (SELECT FROM queue q WHERE q.id = t.id)
