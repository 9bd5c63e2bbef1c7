-- A limit is another one now: its keys at which rows wait are looked at. Run with the lock of lock.sql held.
-- $1 name
UPDATE limiters SET next_at = now() WHERE key >= $1::varchar || '/' AND key < $1::varchar || '0' AND next_at < 'infinity'
