-- What was queued before a limit is held where it should be: a walk ended that began when no statement of before the change could be
-- under way any more (15 s is the longest that one takes).
-- $1 name, $2 its version, $3 when the walk began (epoch milliseconds)
UPDATE limits SET applied_at = now()
WHERE name = $1 AND version = $2 AND applied_at IS NULL AND changed_at < to_timestamp($3::float8 / 1000) - interval '20 seconds'
