-- Ends defaults that Katalogus gives no more, and forgets that an operator had ended one. Run with the lock of lock.sql held.
-- returns name
-- $1 names of those that it gives
UPDATE limits SET removed_at = coalesce(removed_at, now()), by_katalogus = false
WHERE by_katalogus AND name <> ALL ($1::varchar[])
RETURNING name
