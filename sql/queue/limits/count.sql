-- Counts tasks that were claimed before a limit was set for its concurrency, as their claim would have. One that ends at this moment, or
-- whose lease is being renewed, is left to the next look.
-- returns counted
-- $1 a JSON array of {id, lease_id, key}
WITH found AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::text::json) AS f (id uuid, lease_id uuid, key varchar)
),
locked AS MATERIALIZED (
  SELECT f.id, f.key, l.unit
  FROM found f, LATERAL (
    SELECT hashtextextended(leases.claimed_at::text || ' ' || coalesce((
      SELECT c.deduplication_key FROM tasks t, rota_queue_columns(t.type, t.data) AS c WHERE t.id = f.id), f.id::text), 0) AS unit
    FROM leases WHERE leases.task_id = f.id AND leases.lease_id = f.lease_id
    FOR UPDATE SKIP LOCKED
  ) AS l
),
marked AS (UPDATE leases SET limited = true WHERE task_id = ANY (ARRAY(SELECT locked.id FROM locked))),
counted AS (
  INSERT INTO limit_claims AS c (task_id, unit, limits) SELECT locked.id, locked.unit, ARRAY[locked.key] FROM locked
  ON CONFLICT (task_id) DO UPDATE SET limits = CASE WHEN c.limits @> EXCLUDED.limits THEN c.limits ELSE c.limits || EXCLUDED.limits END
)
SELECT count(*)::integer AS counted FROM locked
