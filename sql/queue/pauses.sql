-- returns id, scheduler, organisation, plugin, paused_by, since (ISO), ended, oldest first
-- $1 whether those that ended, too
SELECT id, scheduler, organisation, plugin, paused_by, rota_timestamp(since) AS since, ended_at IS NOT NULL AS ended
FROM pauses WHERE $1::boolean OR ended_at IS NULL
ORDER BY pauses.since, id
