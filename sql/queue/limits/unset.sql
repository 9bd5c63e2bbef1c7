-- Ends a limit or a window. What it held is let go, as far as nothing else holds it. Run with the lock of lock.sql held.
-- returns name; no row where there is none
-- $1 name, $2 limit or window
UPDATE limits SET removed_at = now(), revisit = '' WHERE name = $1 AND kind = $2 AND removed_at IS NULL RETURNING name
