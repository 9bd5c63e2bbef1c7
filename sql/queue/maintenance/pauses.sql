-- Pauses that hold, for lists; or those that the keeper looks after, ended ones too. In the first seconds the request that
-- pauses or resumes moves the rows itself, to answer how many there were (answerWithinMs of pauses.ts).
-- returns id, scheduler, organisation, plugin, paused_by, note, since (ISO), ended, oldest first
-- $1 whether for the keeper
SELECT id, scheduler, organisation, plugin, paused_by, note, rota_timestamp(since) AS since, ended_at IS NOT NULL AS ended
FROM pauses
WHERE CASE WHEN $1::boolean THEN coalesce(ended_at, since) < now() - interval '5 seconds' ELSE ended_at IS NULL END
ORDER BY pauses.since, id
