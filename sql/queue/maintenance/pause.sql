-- Pauses a key from now on. Paused already: the pause that is there.
-- returns id
-- $1 scheduler, $2 organisation or null, $3 plug-in or null, $4 who
INSERT INTO pauses (scheduler, organisation, plugin, paused_by) VALUES ($1, $2, $3, $4)
ON CONFLICT (scheduler, coalesce(organisation, ''), coalesce(plugin, '')) WHERE ended_at IS NULL
DO UPDATE SET paused_by = pauses.paused_by
RETURNING id
