-- Moves some queue rows of one pause's key: out of the claim's path, or back where no other pause holds them.
-- returns moved
-- $1 scheduler, $2 whether to hold, $3 rows at most, $4 of a pause that ended its `shifts` (resume.sql), as JSON, $5… the key's values. {key} is a condition on alias q, one for which
-- there is an index that begins with it. Rows that are being changed at this moment are left to the next round.
WITH chosen AS MATERIALIZED (
  SELECT q.hash FROM queue q
  WHERE q.scheduler = $1 AND q.held = NOT $2::boolean AND {key}
    AND ($2::boolean OR NOT EXISTS (SELECT FROM rota_pausing(q.scheduler, q.organisation, q.plugin)))
  ORDER BY q.rank, q.created_at, q.id
  LIMIT $3
  FOR UPDATE SKIP LOCKED
),
moved AS (
  UPDATE queue q SET held = $2::boolean, rank = q.rank + CASE WHEN q.rank > 1 THEN coalesce((
    SELECT s.shift FROM json_to_recordset($4::text::json) AS s (organisation text, image text, shift bigint)
    WHERE s.organisation = q.organisation AND s.image = coalesce(q.image, '')), 0) ELSE 0 END
  WHERE q.hash = ANY (ARRAY(SELECT hash FROM chosen)) AND q.scheduler IS NOT DISTINCT FROM $1 RETURNING 1
)
SELECT count(*)::integer AS moved FROM moved
