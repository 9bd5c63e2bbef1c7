-- The virtual times of a scheduler's images, '' for tasks without one, and of those queued that have none: the greatest there is.
-- returns image, rank
-- $1 scheduler
WITH known AS MATERIALIZED (SELECT image, rank FROM virtual_times WHERE scheduler = $1)
SELECT image, rank::float8 AS rank FROM known
UNION ALL
SELECT image, (SELECT coalesce(max(rank), 1) FROM known)::float8
FROM (SELECT DISTINCT coalesce(image, '') AS image FROM queue WHERE scheduler = $1) AS queued
WHERE image NOT IN (SELECT image FROM known)
