-- outside a transaction
-- None has a row while no limit is set, but for what a pause holds.
-- What is held: by key in the order in which it is admitted, and, without one, what was not looked at.
DROP INDEX CONCURRENTLY IF EXISTS queue_parked;
CREATE INDEX CONCURRENTLY queue_parked ON queue (parked, rank, created_at, id) WHERE held;
-- What is admitted and not claimed yet, by key. Without a pending list, which each count would read.
DROP INDEX CONCURRENTLY IF EXISTS queue_admitted;
CREATE INDEX CONCURRENTLY queue_admitted ON queue USING gin (limits) WITH (fastupdate = off) WHERE NOT held AND limits IS NOT NULL;
