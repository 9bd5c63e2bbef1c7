-- Renews leases that are still held.
-- returns task_id of each that was
-- $1 task ids, $2 lease ids, one for each task, $3 milliseconds from now
WITH held AS MATERIALIZED (
  SELECT l.task_id FROM unnest($1::uuid[], $2::uuid[]) AS h (task_id, lease_id) JOIN leases l USING (task_id, lease_id)
  ORDER BY l.task_id FOR UPDATE OF l
)
UPDATE leases l SET until = now() + $3::float8 * interval '1 millisecond' FROM held WHERE l.task_id = held.task_id
RETURNING l.task_id
