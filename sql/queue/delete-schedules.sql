-- returns id
-- A hash names one schedule whichever scheduler's it is: the normalizer's actor takes boefjes off the clock.
-- $1 hashes
DELETE FROM schedules WHERE hash = ANY ($1::text[]) RETURNING id
