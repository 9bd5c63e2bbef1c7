-- Pauses a key from now on. Paused already: the pause that is there, with the new note where there is one.
-- returns id
-- $1 scheduler, $2 organisation or null, $3 plug-in or null, $4 who, $5 why or null
INSERT INTO pauses (scheduler, organisation, plugin, paused_by, note) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (scheduler, coalesce(organisation, ''), coalesce(plugin, '')) WHERE ended_at IS NULL
DO UPDATE SET note = coalesce(excluded.note, pauses.note)
RETURNING id
