-- outside a transaction
-- The last rank of an organisation among the tasks of one image, and whether any may be popped. The image leads: no other statement can
-- take this index for its own, which costs as much as the right one while the table counts as small.
DROP INDEX CONCURRENTLY IF EXISTS queue_tails;
CREATE INDEX CONCURRENTLY queue_tails ON queue ((coalesce(image, '')), scheduler, held, organisation, rank);
