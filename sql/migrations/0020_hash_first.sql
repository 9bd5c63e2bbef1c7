-- outside a transaction
-- What looks a hash or a group up finds it by an index that begins with it. While the tables count as small, an index that begins
-- with the scheduler costs no more by estimate, whichever it is, and reads all of the scheduler's rows: 43 ms instead of 1.1 a
-- pop with 120 000 queued. docs/queue-semantics.md, "Tables". ON CONFLICT of older supervisors names the same columns.
DROP INDEX CONCURRENTLY IF EXISTS queue_hashes;
CREATE UNIQUE INDEX CONCURRENTLY queue_hashes ON queue (hash, scheduler);
DROP INDEX CONCURRENTLY IF EXISTS queue_hash;

DROP INDEX CONCURRENTLY IF EXISTS queue_groups;
CREATE INDEX CONCURRENTLY queue_groups ON queue (deduplication_key, scheduler) WHERE deduplication_key IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS queue_group;
