-- What else is kept about an organisation. Should it come back, everything that is enabled in it counts as new. Its pauses
-- end as by resume.sql and are not deleted: a push that began before may commit held rows yet, which must be let go.
-- returns pauses (how many ended)
-- $1 organisation
WITH unpaused AS (UPDATE pauses SET ended_at = now() WHERE organisation = $1 AND ended_at IS NULL RETURNING 1),
unseen AS (DELETE FROM seen_boefjes WHERE organisation = $1),
untagged AS (DELETE FROM fairness WHERE organisation = $1)
SELECT count(*)::integer AS pauses FROM unpaused
