-- Ends defaults that Katalogus gives no more, and forgets that an operator had ended one. Run with the lock of lock.sql held.
-- $1 names of those that it gives of $2, a scheduler
UPDATE limits SET removed_at = coalesce(removed_at, now()), by_katalogus = false, revisit = ''
WHERE by_katalogus AND scheduler = $2 AND name <> ALL ($1::varchar[])
