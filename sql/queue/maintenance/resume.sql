-- Ends the pause of exactly this key.
-- returns id; no row where there is none
-- $1 scheduler, $2 organisation or null, $3 plug-in or null
UPDATE pauses SET ended_at = now()
WHERE scheduler = $1 AND organisation IS NOT DISTINCT FROM $2 AND plugin IS NOT DISTINCT FROM $3 AND ended_at IS NULL
RETURNING id
