-- The tasks that follow one that became running: the rest of the group that it was claimed with over REST, if they are still as
-- that claim left them, or, after that claim had ended unbegun, went back to the queue together. Those that were claimed anew,
-- put back, finished or begun since are left alone.
-- returns id, leader
-- $1 those that became running, $2 the claim that each came with (settle-lock-leaders.sql; as it is now
-- that it is locked, where it is claimed)
WITH leaders AS MATERIALIZED (
  SELECT t.id AS leader, coalesce(h.unit, l.unit) AS unit, t.scheduler_id AS scheduler, c.deduplication_key
  FROM unnest($1::uuid[], $2::uuid[]) AS l (id, unit)
    JOIN tasks t ON t.id = l.id
    LEFT JOIN leases h ON h.task_id = l.id,
    rota_queue_columns(t.type, t.data) c
),
dispatched AS MATERIALIZED (
  SELECT f.task_id AS id, l.leader
  FROM leases f JOIN leaders l USING (unit)
  WHERE f.unit = ANY (ARRAY(SELECT unit FROM leaders)) AND f.unit IS NOT NULL
    AND EXISTS (SELECT FROM tasks t WHERE t.id = f.task_id AND t.status = 'DISPATCHED')
),
-- Locked, so that no claim hands one out before it follows; one that is being handed out at this moment does not follow.
queued AS MATERIALIZED (
  SELECT f.id, l.leader
  FROM leaders l, LATERAL (
    SELECT q.id FROM queue q
    WHERE q.deduplication_key = l.deduplication_key AND q.deduplication_key IS NOT NULL
      AND q.scheduler IS NOT DISTINCT FROM l.scheduler AND q.unit = l.unit
    FOR UPDATE SKIP LOCKED
  ) AS f
)
SELECT DISTINCT ON (id) id, leader FROM (SELECT * FROM dispatched UNION ALL SELECT * FROM queued) AS followers ORDER BY id
