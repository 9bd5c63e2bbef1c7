-- Ends the pause of exactly this key.
-- returns shifts (JSON text: {organisation, image, shift}, of those that move); no row where there is none
-- $1 scheduler, $2 organisation or null, $3 plug-in or null, $4 whether its ranks are virtual times: then what was held comes back beside
-- what is popped now, in its own order, and not before all that was queued meanwhile
UPDATE pauses AS ending SET ended_at = now(), shifts = CASE WHEN $4::boolean THEN (
  SELECT coalesce(jsonb_agg(to_jsonb(s)), '[]')
  FROM (
    SELECT h.organisation, h.image, v.rank - h.first AS shift
    FROM (
      SELECT q.organisation, coalesce(q.image, '') AS image, min(q.rank) AS first
      FROM queue q
      WHERE q.scheduler = $1 AND q.held AND q.rank > 1
        AND ($2::varchar IS NULL OR q.organisation = $2) AND ($3::varchar IS NULL OR q.plugin = $3)
        AND NOT EXISTS (
          SELECT FROM pauses other
          WHERE other.scheduler = $1 AND other.ended_at IS NULL AND other.id <> ending.id
            AND coalesce(other.organisation, q.organisation) = q.organisation
            AND (other.plugin IS NULL OR other.plugin = q.plugin))
      GROUP BY 1, 2
    ) AS h, LATERAL (SELECT rota_virtual_time($1, h.image) AS rank) AS v
    WHERE v.rank > h.first
  ) AS s
) ELSE '[]' END
WHERE scheduler = $1 AND organisation IS NOT DISTINCT FROM $2 AND plugin IS NOT DISTINCT FROM $3 AND ended_at IS NULL
RETURNING shifts::text AS shifts
