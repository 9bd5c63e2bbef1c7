-- Locks what a set of patches will change, in the order in which every statement of the queue takes its locks: queue,
-- tasks, leases. The statement after it, in the same transaction, then sees what claims and patches before it committed.
-- $1 task ids
-- Tasks are looked up first, by id and by themselves, and then the queue's rows one by one: joined at once, the order of the
-- hashes would be read off an index, all of it at every patch (33 ms among 50 000 tasks; 0.1 ms so).
-- Only what counts as queued is looked for in the queue (13 us for each that is not). A task that goes back at this very
-- moment is then deleted there out of order: at worst two transactions wait for each other, and one of them is run again.
WITH named AS MATERIALIZED (SELECT id, scheduler_id, hash, status FROM tasks WHERE id = ANY ($1::uuid[])),
queued AS MATERIALIZED (
  SELECT q.id
  FROM (SELECT * FROM named WHERE status = 'QUEUED' ORDER BY hash) AS t, LATERAL (
    SELECT queue.id FROM queue
    WHERE queue.hash = t.hash AND (queue.scheduler, queue.id) IS NOT DISTINCT FROM (t.scheduler_id, t.id)
    FOR UPDATE
  ) AS q
),
locked AS MATERIALIZED (
  SELECT id FROM tasks WHERE id = ANY ($1::uuid[]) AND (SELECT count(*) FROM queued) >= 0 ORDER BY id FOR UPDATE
)
SELECT FROM leases WHERE task_id = ANY ($1::uuid[]) AND (SELECT count(*) FROM locked) >= 0 ORDER BY task_id FOR UPDATE
