-- Deletes schedules by hash, whichever scheduler's: the normalizer actor reads `openkat/deschedule`, the schedule is a
-- boefje's. A hash is one schedule's. Tasks that came of them stay.
-- returns id
-- $1 hashes
DELETE FROM schedules WHERE hash = ANY ($1::text[]) RETURNING id
