-- What was queued before a limit is held where it should be, and what was claimed counts for it. For good after a walk that began when no
-- statement of before the change could be under way any more (15 s is the longest that one takes). Run with the lock of lock.sql held.
-- The first walk lets it admit: its keys are looked at again.
-- $1 name, $2 its version, $3 when the walk began (epoch milliseconds)
WITH was AS MATERIALIZED (SELECT limits.counted_at IS NULL AS uncounted FROM limits WHERE limits.name = $1)
UPDATE limits
SET counted_at = coalesce(counted_at, now()),
    revisit = CASE WHEN was.uncounted THEN '' ELSE revisit END,
    applied_at = CASE WHEN changed_at < to_timestamp($3::float8 / 1000) - interval '20 seconds' THEN now() END
FROM was WHERE name = $1 AND version = $2 AND applied_at IS NULL
