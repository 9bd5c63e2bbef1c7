-- Tasks whose lease seems to have expired, locked in the order of the queue (flows, tasks, then leases); those that are
-- being settled at this moment are left alone.
-- returns id
-- $1 task ids, $2 schedulers whose flows are locked first, sorted (rota_flows)
WITH gate AS MATERIALIZED (
  SELECT count(pg_advisory_xact_lock(7682120, hashtext(scheduler))) FROM unnest($2::varchar[]) AS scheduler
)
SELECT t.id FROM tasks t
WHERE t.id = ANY ($1::uuid[]) AND (SELECT true FROM gate)
FOR UPDATE OF t SKIP LOCKED
