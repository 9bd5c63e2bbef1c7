-- Pauses a key from now on. Paused already: the pause that is there.
-- returns id
-- $1 scheduler, $2 organisation or null, $3 plug-in or null, $4 who
-- What an earlier pause of some of these tasks had not moved yet is held again, and moves by the end of this one alone.
WITH overtaken AS (
  UPDATE pauses SET shifts = '[]'
  WHERE scheduler = $1 AND ended_at IS NOT NULL
    AND (organisation IS NULL OR $2::varchar IS NULL OR organisation = $2)
    AND (plugin IS NULL OR $3::varchar IS NULL OR plugin = $3)
)
INSERT INTO pauses (scheduler, organisation, plugin, paused_by) VALUES ($1, $2, $3, $4)
ON CONFLICT (scheduler, coalesce(organisation, ''), coalesce(plugin, '')) WHERE ended_at IS NULL
DO UPDATE SET paused_by = pauses.paused_by
RETURNING id
