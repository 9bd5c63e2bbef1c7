-- Raises the virtual times of images; one that is later already stays.
-- $1 scheduler, $2 images, sorted; of one, a person's before the others; $3 the greatest rank dispatched of each
INSERT INTO virtual_times AS v (scheduler, image, rank)
SELECT $1, image, rank FROM unnest($2::varchar[], $3::bigint[]) AS raised (image, rank)
ON CONFLICT (scheduler, image, manual) DO UPDATE SET rank = EXCLUDED.rank WHERE v.rank < EXCLUDED.rank
