-- outside a transaction
-- None has a row while no limit is set, but for what a pause holds.
-- What is parked at a key, in the order in which it is admitted.
DROP INDEX CONCURRENTLY IF EXISTS queue_parked;
CREATE INDEX CONCURRENTLY queue_parked ON queue (parked, rank, created_at, id) WHERE parked IS NOT NULL;
-- What is held and was not looked at: by a limit, a pause, or both.
DROP INDEX CONCURRENTLY IF EXISTS queue_unresolved;
CREATE INDEX CONCURRENTLY queue_unresolved ON queue (rank, created_at, id)
  WHERE held AND parked IS NULL AND limits IS DISTINCT FROM '{}';
-- What is admitted and not claimed yet, and what is claimed, by key. Without a pending list, which each count would read.
DROP INDEX CONCURRENTLY IF EXISTS queue_admitted;
CREATE INDEX CONCURRENTLY queue_admitted ON queue USING gin (limits) WITH (fastupdate = off) WHERE NOT held AND limits IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS leases_limits;
CREATE INDEX CONCURRENTLY leases_limits ON leases USING gin (limits) WITH (fastupdate = off) WHERE limits IS NOT NULL;
