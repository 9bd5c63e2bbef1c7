-- What else is kept about an organisation. Should it come back, everything that is enabled in it counts as new.
-- returns pauses (how many ended)
-- $1 organisation
WITH unpaused AS (DELETE FROM pauses WHERE organisation = $1 RETURNING 1),
unseen AS (DELETE FROM seen_boefjes WHERE organisation = $1),
untagged AS (DELETE FROM fairness WHERE organisation = $1)
SELECT count(*)::integer AS pauses FROM unpaused
