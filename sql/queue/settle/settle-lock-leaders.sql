-- settle-lock.sql for a set in which something becomes running: the group that it was claimed with over REST follows
-- (settle-followers.sql), and is locked with it, in the same order. Apart, since looking for groups costs a statement 25 us,
-- and nothing that does not begin has any.
-- returns held (leases locked), id, unit: a row for each of $2 that was claimed with a group; one without id and unit where
-- there is none
-- $1 task ids, $2 those of them that become running
WITH named AS MATERIALIZED (SELECT id, scheduler_id, hash, status FROM tasks WHERE id = ANY ($1::uuid[])),
queued AS MATERIALIZED (
  SELECT q.id, q.unit
  FROM (SELECT * FROM named WHERE status = 'QUEUED' ORDER BY hash) AS t, LATERAL (
    SELECT queue.id, queue.unit FROM queue
    WHERE queue.hash = t.hash AND (queue.scheduler, queue.id) IS NOT DISTINCT FROM (t.scheduler_id, t.id)
    FOR UPDATE
  ) AS q
),
leaders AS MATERIALIZED (
  SELECT task_id AS id, unit FROM leases WHERE task_id = ANY ($2::uuid[]) AND unit IS NOT NULL
  UNION ALL
  SELECT id, unit FROM queued WHERE id = ANY ($2::uuid[]) AND unit IS NOT NULL
),
-- Of a claim that ended unbegun the others are queued too: those are locked by settle-followers.sql, which does not wait.
followers AS MATERIALIZED (
  SELECT task_id FROM leases WHERE unit = ANY (ARRAY(SELECT unit FROM leaders)) AND unit IS NOT NULL
),
locked AS MATERIALIZED (
  SELECT id FROM tasks WHERE id = ANY ($1::uuid[] || ARRAY(SELECT task_id FROM followers))
    AND (SELECT count(*) FROM queued) >= 0
  ORDER BY id FOR UPDATE
),
held AS MATERIALIZED (
  SELECT FROM leases WHERE task_id = ANY ($1::uuid[] || ARRAY(SELECT task_id FROM followers))
    AND (SELECT count(*) FROM locked) >= 0
  ORDER BY task_id FOR UPDATE
)
-- The count comes first: it takes the locks even where no task leads a group.
SELECT h.held, l.id, l.unit FROM (SELECT count(*)::integer AS held FROM held) AS h LEFT JOIN leaders l ON true
