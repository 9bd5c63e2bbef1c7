-- Moves some queue rows of one pause's key: out of the claim's path, or back where no other pause holds them.
-- returns moved
-- $1 scheduler, $2 whether to hold, $3 rows at most, $4 where ranks are virtual times the distance of two tasks of
-- weight 1, else 0, $5… the key's values. {key} is a condition on alias q, one for which there is an index that begins
-- with it. Rows that are being changed at this moment are left to the next round. What comes back with a rank that has
-- passed goes behind the last task of its flow that may be popped, or the virtual time, as if it were pushed now, in
-- its own order. What a limit holds too is left to it, and what was looked at while a pause held it is looked at
-- again. Locks as rota_flows does, before any row: a push or a patch that has that lock may want these rows.
WITH gate AS MATERIALIZED (
  SELECT CASE WHEN $4::float8 > 0 THEN pg_advisory_xact_lock(7682120, hashtext($1)) END
),
chosen AS MATERIALIZED (
  SELECT q.hash, q.rank, q.organisation, coalesce(q.image, '') AS image, q.rank < -2147483648 AS manual, q.created_at, q.id FROM queue q
  WHERE q.scheduler = $1 AND q.held = NOT $2::boolean AND {key}
    AND EXISTS (SELECT FROM gate)
    AND ($2::boolean OR NOT EXISTS (SELECT FROM rota_pausing(q.scheduler, q.organisation, q.plugin))
      OR q.parked = '' AND NOT EXISTS (SELECT FROM rota_paused(q.scheduler, q.organisation, q.plugin)))
  ORDER BY q.rank, q.created_at, q.id
  LIMIT $3
  FOR UPDATE SKIP LOCKED
),
flows AS MATERIALIZED (
  SELECT row_number() OVER ()::integer AS n, c.*
  FROM (SELECT DISTINCT organisation, image, manual FROM chosen WHERE (rank > 1 OR manual) AND $4::float8 > 0) AS c
),
begun AS MATERIALIZED (
  SELECT n, starts, rota_step($4::float8, weight) AS step
  FROM rota_flows($1, (SELECT coalesce(json_agg(flows), '[]') FROM flows), '[]')
),
-- As an object: a look into it is quick, and no plan can turn the update into a scan.
dealt AS MATERIALIZED (
  SELECT jsonb_object_agg(hash, rank) AS ranks
  FROM (
    SELECT c.hash, greatest(c.rank, b.starts + b.step * row_number() OVER (
      PARTITION BY c.organisation, c.image, c.manual ORDER BY c.rank, c.created_at, c.id)) AS rank
    FROM chosen c JOIN flows f USING (organisation, image, manual) JOIN begun b USING (n)
    WHERE c.rank > 1 OR c.manual
  ) AS d
),
moved AS (
  UPDATE queue q SET held = $2::boolean OR EXISTS (SELECT FROM rota_pausing(q.scheduler, q.organisation, q.plugin)),
    parked = CASE WHEN $2::boolean THEN q.parked END, rank = coalesce((dealt.ranks ->> q.hash)::bigint, q.rank)
  FROM dealt
  WHERE q.hash = ANY (ARRAY(SELECT hash FROM chosen)) AND q.scheduler IS NOT DISTINCT FROM $1 RETURNING 1
)
SELECT count(*)::integer AS moved FROM moved
