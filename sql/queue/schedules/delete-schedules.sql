-- Deletes schedules by hash, whichever scheduler's: a hash is unique, and it is the normalizer that hears of a boefje
-- which need not run again.
-- returns id
-- $1 hashes
DELETE FROM schedules WHERE hash = ANY ($1::text[]) RETURNING id
