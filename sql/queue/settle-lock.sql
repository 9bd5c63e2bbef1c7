-- Locks what a set of patches will change, in the order in which every statement of the queue takes its locks: queue,
-- tasks, leases. The statement after it, in the same transaction, then sees what claims and patches before it committed.
-- $1 task ids
WITH queued AS MATERIALIZED (
  SELECT q.id FROM tasks t JOIN queue q ON q.scheduler = t.scheduler_id AND q.hash = t.hash AND q.id = t.id
  WHERE t.id = ANY ($1::uuid[]) ORDER BY q.hash FOR UPDATE OF q
),
locked AS MATERIALIZED (
  SELECT id FROM tasks WHERE id = ANY ($1::uuid[]) AND (SELECT count(*) FROM queued) >= 0 ORDER BY id FOR UPDATE
)
SELECT FROM leases WHERE task_id = ANY ($1::uuid[]) AND (SELECT count(*) FROM locked) >= 0 ORDER BY task_id FOR UPDATE
