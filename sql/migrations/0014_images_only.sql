-- outside a transaction
-- Only boefje tasks have an image: an index without the others spares each normalizer and report task an entry, 6 of the
-- 77 µs that Postgres takes for one in a set of a thousand.
DROP INDEX CONCURRENTLY IF EXISTS queue_images;
CREATE INDEX CONCURRENTLY queue_images ON queue (scheduler, image, held, rank, created_at, id) WHERE image IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS queue_image;
